"""Tokens that work once: links in mails, and the way from a password to the second factor."""
