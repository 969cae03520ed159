"""Conditions and ranges of requests, answered from the store (RFC 9110, 13 and 14; RFC 9111, section 4.3.2)."""

from __future__ import annotations

from typing import Final

from router.core.caching.asked import Asked
from router.core.caching.dates import read_date
from router.core.caching.stored import Stored
from router.core.negotiate import is_unchanged, range_of

_STRONG_S: Final = 60


def unchanged(asked: Asked, status: int, etag: bytes, modified: bytes, date: float) -> bool:
    """Whether the client's copy is current, so that 304 is the answer.

    Args:
        status, etag, modified, date: of the answer that it would get.
    """
    if status != 200:
        return False
    if asked.none_match:
        return is_unchanged(asked.none_match, etag.removeprefix(b"W/"))
    if not asked.modified_since:
        return False
    since, last = read_date(asked.modified_since), read_date(modified)
    return since is not None and (date if last is None else last) <= since


def part_of(stored: Stored, asked: Asked) -> tuple[int, int] | None:
    """The range of a stored answer that is asked for, None for the whole.

    Raises:
        Refused: RANGE_UNSATISFIABLE.
    """
    if not asked.range or stored.status != 200:
        return None
    condition = asked.if_range
    if condition and condition != stored.etag and not _is_strong_date(stored, condition):
        return None
    if condition.startswith(b"W/"):
        return None
    return range_of(asked.range, b"", b"", stored.size)


def _is_strong_date(stored: Stored, condition: bytes) -> bool:
    """Whether a date names exactly this answer (RFC 9110, section 8.8.2.2)."""
    last = read_date(stored.modified)
    return last is not None and read_date(condition) == last and stored.date - last >= _STRONG_S
