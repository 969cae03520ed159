"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def as_json(value: object) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], otherwise: str) -> None:
    """A table on stdout, or one line on stderr when there is nothing to show."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = list(rows)
    if not listed:
        print(otherwise, file=sys.stderr)
        return
    made = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in listed:
        made.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(made)


def ago(at: str) -> str:
    """How long ago a time of the API was."""
    seconds = max((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds(), 0.0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
