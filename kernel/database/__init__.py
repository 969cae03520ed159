"""Postgres: a pool, named SQL, and plain-SQL migrations."""

from kernel.database.migrate import migrate
from kernel.database.pool import Database
from kernel.database.queries import load_queries

__all__ = ["Database", "load_queries", "migrate"]
