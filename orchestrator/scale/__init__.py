"""How many instances run: signals, decisions, and waking."""
