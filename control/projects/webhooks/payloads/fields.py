"""Reads fields of a stranger's JSON: what is missing or of another type is an error that names it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from kernel.errors import define

PAYLOAD_INVALID = define(
    "PAYLOAD_INVALID", source="client", status=400, hint="is the webhook's content type application/json?"
)
Json = dict[str, Any]
HEADS: Final = "refs/heads/"
PATHS_MAX: Final = 20_000  # more are not looked at one by one: a push of that size touches everything
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def record(holder: Json, name: str) -> Json:
    """A field that is an object.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    value = holder.get(name)
    if not isinstance(value, dict):
        raise PAYLOAD_INVALID(f"the payload has no object {name!r}")
    return value


def text(holder: Json, name: str) -> str:
    """A field that is a string.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    value = holder.get(name)
    if not isinstance(value, str) or "\0" in value:  # which Postgres can't store
        raise PAYLOAD_INVALID(f"the payload has no string {name!r}")
    return value


def number(holder: Json, name: str) -> int:
    """A field that is a whole number.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    value = holder.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise PAYLOAD_INVALID(f"the payload has no number {name!r}")
    return value


def records(holder: Json, name: str) -> list[Json]:
    """A field that is a list of objects; absent or null is an empty one.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    value = holder.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise PAYLOAD_INVALID(f"the payload's {name!r} is no list of objects")
    return value


def optional(holder: Json, name: str) -> str:
    """A string, "" when it is absent or null."""
    value = holder.get(name)
    return value.replace("\0", "") if isinstance(value, str) else ""


def commit(value: str) -> str:
    """A full object id; "" for the zeros that stand for none.

    Raises:
        ShipoffError: PAYLOAD_INVALID.
    """
    if not value.strip("0"):
        return ""
    if not _COMMIT.fullmatch(value):
        raise PAYLOAD_INVALID(f"{value[:80]!r} is no full commit id")
    return value


def touched(commits: Iterable[Json], most_per_commit: int) -> frozenset[str] | None:
    """The paths that commits name as added, removed or modified; None when that can't be all of them.

    Args:
        most_per_commit: so many the host names at most.
    """
    found: set[str] = set()
    for one in commits:
        lists = [one.get(kind) for kind in ("added", "removed", "modified")]
        if not all(isinstance(paths, list) for paths in lists):
            return None
        named = [path for paths in lists for path in paths or () if isinstance(path, str)]
        found.update(named)
        if len(named) >= most_per_commit or len(found) > PATHS_MAX:
            return None
    return frozenset(found)
