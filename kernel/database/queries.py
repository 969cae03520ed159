"""Named SQL: each domain keeps its statements in one `queries.sql`, read once."""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: *([a-z][a-z0-9_]*) *$", re.MULTILINE)


def load_queries(package: str) -> dict[str, str]:
    """Reads `queries.sql` of a package: sections that begin with `-- name: get_project`.

    Returns:
        name -> statement.

    Raises:
        ValueError: a name stands twice.
    """
    text = files(package).joinpath("queries.sql").read_text()
    parts = _NAME.split(text)[1:]
    queries = {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
    if len(queries) != len(parts) // 2:
        raise ValueError(f"{package}/queries.sql names a query twice")
    return queries
