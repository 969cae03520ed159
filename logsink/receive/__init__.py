"""Doors through which lines come in, and the one way on from there."""
