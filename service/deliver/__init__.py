"""Produced objects on their way into archives: send, read back, and only then call it done."""
