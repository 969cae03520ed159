"""How messages write times: milliseconds since 1970 (UTC), and 0 for what has not happened."""

from __future__ import annotations

from datetime import datetime


def ms_of(moment: datetime | None) -> int:
    """A time as messages have it, cut to whole milliseconds; None is 0."""
    return 0 if moment is None else int(moment.timestamp() * 1000)
