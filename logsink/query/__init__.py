"""Answers questions about lines: from the store, and on into what is being written."""
