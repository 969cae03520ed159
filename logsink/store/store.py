"""What the rest of the log service asks of a store; ClickHouse or Loki may stand behind it one day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from logsink.lines import Batch, Line, Query, Stored


class Outcome(NamedTuple):
    """What became of a group of batches.

    Attributes:
        fresh: for each batch, whether it was stored now (False: it had been before).
        stored: the new lines, one entry a project.
    """

    fresh: list[bool]
    stored: list[Stored]


class Store(Protocol):
    """A durable, ordered record of lines, each project with its own offsets."""

    async def append(self, batches: Sequence[Batch]) -> Outcome:
        """Makes batches durable, all in one transaction.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE; all or none of them are stored then, and sending them again is safe.
        """
        ...

    def pages(self, query: Query, until: int) -> AsyncIterator[Sequence[Line]]:
        """The lines that a query wants, in offset order, up to and with offset `until`, some at a time.

        Ignores `query.tail`. Memory is bounded by the page, not by the answer. Lines that expire meanwhile are absent.
        """
        ...

    async def tail_start(self, query: Query, until: int) -> int:
        """The offset behind which the last `query.tail` wanted lines up to `until` begin."""
        ...

    async def last_offset(self, project_id: str) -> int:
        """The highest offset that is readable; 0 for a project without lines."""
        ...

    async def ping(self) -> None:
        """Raises ShipoffError unless the store can do its work."""
        ...
