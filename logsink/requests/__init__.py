"""Requests that routers have answered: stored as blocks beside the lines, read newest first."""
