"""Passwords: which are good, how they are kept, and how they change."""
