"""Persons who may sign in, their sessions, keys for software, and the audit log."""
