"""Roles on single projects."""
