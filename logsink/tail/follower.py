"""A follower: the bounded queue between the writer and one live view.

The writer never waits for a viewer. When a viewer is too slow for what its project prints, the oldest waiting lines are
dropped and counted; they stay stored. A follower knows up to which offset it saw the project (`before` and `last` of
each arrival, wanted lines or not), so its reader can tell "nothing for me" from "I missed something".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from kernel.errors import UNAVAILABLE
from logsink.lines import Line, Query, Stored

LINE_OVERHEAD: Final = 64


class Arrival(NamedTuple):
    """Part of a project's stream of lines: offsets (before, last], of which `lines` are wanted."""

    before: int
    last: int
    lines: Sequence[Line]


class Lost(NamedTuple):
    """What was dropped since it was last asked for: how many wanted lines, and up to which offset."""

    lines: int
    last: int


class Follower:
    """One live view.

    Args:
        limit: bytes of text that may wait.
    """

    def __init__(self, query: Query, limit: int) -> None:
        self.query = query
        self._limit = limit
        self._waiting: deque[Arrival] = deque()
        self._size = 0
        self._lost = Lost(0, 0)
        self._arrived = asyncio.Event()
        self._closed = False

    def offer(self, stored: Stored) -> None:
        """Takes what was stored; drops the oldest when too much waits."""
        lines = [line for line in stored.lines if self.query.wants(line)]
        arrival = Arrival(stored.before, stored.last, lines)
        if not lines and self._waiting and self._waiting[-1].last == arrival.before:
            self._waiting[-1] = self._waiting[-1]._replace(last=arrival.last)  # so that silence takes no room
            return
        self._waiting.append(arrival)
        self._size += _weight(lines)
        while self._size > self._limit and len(self._waiting) > 1:
            self._drop()
        self._arrived.set()

    async def take(self, within_s: float) -> Arrival | None:
        """The oldest waiting arrival; None when nothing came in time.

        Raises:
            ShipoffError: UNAVAILABLE when the service stops.
        """
        if not self._waiting and not self._closed:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), within_s)
            except TimeoutError:
                return None
        if self._closed:
            raise UNAVAILABLE("the log service is stopping", hint="read on after the last offset")
        arrival = self._waiting.popleft()
        self._size -= _weight(arrival.lines)
        return arrival

    def lost(self) -> Lost:
        """What was dropped since the last call."""
        lost, self._lost = self._lost, Lost(0, 0)
        return lost

    def reset(self) -> None:
        """Forgets what waits and what was lost: the reader is about to read it from the store."""
        self._waiting.clear()
        self._size = 0
        self._lost = Lost(0, 0)

    def close(self) -> None:
        """Ends the view: its reader gets UNAVAILABLE."""
        self._closed = True
        self._arrived.set()

    def _drop(self) -> None:
        arrival = self._waiting.popleft()
        self._size -= _weight(arrival.lines)
        self._lost = Lost(self._lost.lines + len(arrival.lines), arrival.last)


def _weight(lines: Sequence[Line]) -> int:
    return sum(len(line.text) + LINE_OVERHEAD for line in lines)
