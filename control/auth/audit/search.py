"""Finds records of a team, newest first, page by page.

Each page looks at a bounded number of records, whatever is asked for: a page may hold few, or none, and still have a
next one. So no search costs more than a constant, and none ends before it has seen everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from control.auth.audit.record import SQL
from kernel import ids
from kernel.database import Database
from kernel.database.pool import Row
from kernel.errors import define
from kernel.times import ms_of

AUDIT_QUERY_INVALID = define(
    "AUDIT_QUERY_INVALID", source="client", status=422, hint="correct the filter named; leave it out to see everything"
)
LOOK_AT: Final = 5000  # records of a page at most; about 20 ms
PAGE: Final = 50
PAGE_MOST: Final = 200
FILTER_LENGTH: Final = 200
_FIRST: Final = "aud_" + "0" * 32
_LAST: Final = "aud_g"  # behind every id


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; "" and None are anything.

    Attributes:
        actor: an account's id, a name, or a credential's id.
        action: how the action begins: "domain." finds domain.create.
        target: exactly.
        since: not before.
        until: before.
        text: anywhere in the fields before or after, in either case.
        cursor: `Found.next_cursor` of the page before.
        limit: records of a page.
    """

    project_id: str = ""
    actor: str = ""
    action: str = ""
    target: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    cursor: str = ""
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class Found:
    """A page.

    Attributes:
        events: rows of audit_events.
        next_cursor: for the page behind this one; "" when there is none.
    """

    events: list[Row] = field(default_factory=list)
    next_cursor: str = ""


async def search(database: Database, team_id: str, query: Query) -> Found:
    """Finds records.

    Raises:
        ShipoffError: AUDIT_QUERY_INVALID.
    """
    _check(query)
    limit = min(max(query.limit, 1), PAGE_MOST)
    below = min(query.cursor or _LAST, _at(query.until) if query.until else _LAST)
    lowest = _at(query.since) if query.since else _FIRST
    filters: list[Any] = [query.project_id, query.actor, query.action, query.target, query.text]
    rows = await database.fetch(SQL["search"], team_id, below, lowest, LOOK_AT, *filters, limit)
    events = [row for row in rows if row["id"] is not None]
    if len(events) == limit:
        return Found(events, events[-1]["id"])
    return Found(events, (rows[0]["edge_id"] if rows else "") or "")


def _check(query: Query) -> None:
    if query.cursor and not ids.is_id(query.cursor, "aud"):
        raise AUDIT_QUERY_INVALID("cursor is not one of ours")
    for name in ("project_id", "actor", "action", "target", "text"):
        if len(value := getattr(query, name)) > FILTER_LENGTH or "\0" in value:
            raise AUDIT_QUERY_INVALID(f"{name} has at most {FILTER_LENGTH} characters")


def _at(moment: datetime) -> str:
    """The least id of that millisecond: ids begin with their time (RFC 9562, section 5.7)."""
    return f"aud_{min(max(ms_of(moment), 0), (1 << 48) - 1):012x}" + "0" * 20
