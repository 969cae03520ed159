"""The keys that auth signs with."""
