"""Moves bytes between clients and upstreams on uvloop, as router/core decides."""
