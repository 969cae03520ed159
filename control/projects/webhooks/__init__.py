"""Webhooks in: a queue of what git hosts send, and what becomes of it."""
