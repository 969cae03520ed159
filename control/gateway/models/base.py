"""What all models share: strict bodies, queries that refuse what they don't know, and how times are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Short = Annotated[str, Field(max_length=300)]
Command = Annotated[str, Field(max_length=5000)]
Json = dict[str, Any]
Item = TypeVar("Item")
LIMIT_MAX: Final = 100


class Body(BaseModel):
    """Base of all bodies: unknown fields and wrong types are refused, never guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Query(BaseModel):
    """Base of all queries: what comes is text, and becomes numbers and truth values here; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Page(Query):
    """Which part of a list.

    Attributes:
        limit: how many at most.
        cursor: the `next_cursor` of the page before; absent for the first.
    """

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 20
    cursor: Short = ""


def next_cursor(found: Sequence[Item], limit: int, mark: Callable[[Item], str]) -> str | None:
    """Where the next page begins; None after the last one. A page that is just full may be followed by an empty one.

    Args:
        found: the items of this page.
        limit: that was asked for.
        mark: an item's cursor, behind which the owning service goes on.
    """
    return mark(found[-1]) if len(found) >= limit else None


def time_of(ms: int) -> str:
    """Unix time in milliseconds as RFC 3339."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def time_or_none(ms: int) -> str | None:
    """As `time_of`; 0 has not happened."""
    return time_of(ms) if ms else None
