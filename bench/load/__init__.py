"""How an installation behaves under load that does not wait for it."""
