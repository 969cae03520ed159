"""Env vars, encrypted at rest."""
