"""Delivery of produced objects to archives: send them, read them back and compare."""
