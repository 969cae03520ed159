"""Postgres, Valkey and SeaweedFS as child processes, from wheels or from the system."""
