"""Members of teams and what they are."""
