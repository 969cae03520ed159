"""Reads lines in order, and follows them: stored ones first, then live ones, with no gap and no line twice between.

The seam works by offsets. A follower subscribes, reads the store up to the newest offset, and takes up the live
arrivals where the store ended: what it has is dropped, and an arrival that does not join on (another process wrote, a
commit's answer was lost) sends it back to the store. Live arrivals are hints, the store is the truth, so an idle
follower compares itself with the store now and then.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from logsink import metrics
from logsink.lines import RUN, SYSTEM, Line, Query
from logsink.store.store import Store
from logsink.tail.follower import Arrival, Follower, Lost
from logsink.tail.hub import Hub

IDLE_S: Final = 2.0
Pages = AsyncGenerator[Sequence[Line], None]


class Reader:
    """Answers queries.

    Args:
        idle_s: how often a follower to whom nothing comes asks the store whether it missed something.
    """

    def __init__(self, store: Store, hub: Hub, idle_s: float = IDLE_S) -> None:
        self._store, self._hub, self._idle_s = store, hub, idle_s

    async def read(self, query: Query, *, follow: bool = False) -> Pages:
        """The wanted lines in offset order, some at a time: all stored up to now and, to follow, all that come.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE, TOO_MANY_FOLLOWERS, UNAVAILABLE when the service stops.
        """
        until = await self._store.last_offset(query.project_id)
        query = replace(query, after_offset=min(query.after_offset, until))  # an offset of a database that was lost
        if query.tail:
            query = replace(query, after_offset=await self._store.tail_start(query, until), tail=0)
        if not follow:
            async for page in self._store.pages(query, until):
                yield page
            return
        with self._hub.follow(query) as follower:
            async for page in self._follow(query, follower):
                yield page

    async def _follow(self, query: Query, follower: Follower) -> AsyncIterator[Sequence[Line]]:
        position = query.after_offset
        while True:
            follower.reset()
            until = await self._store.last_offset(query.project_id)
            async for page in self._store.pages(replace(query, after_offset=position), until):
                yield page
            position = max(position, until)
            if follower.lost().last > position:
                continue  # too much came while we read; the store has it
            async for page, reached in self._live(query, follower, position):
                position = reached
                if page:
                    yield page

    async def _live(self, query: Query, follower: Follower, position: int) -> AsyncIterator[tuple[Sequence[Line], int]]:
        """Live lines and the offset up to which they go; ends when the store must be asked."""
        while True:
            arrival = await follower.take(self._idle_s)
            lost = follower.lost()
            if lost.last > position:
                position = lost.last
                if lost.lines:
                    metrics.SKIPPED.inc(lost.lines)
                    yield [_skipped(query, lost)], position
            if arrival is None:
                if await self._store.last_offset(query.project_id) > position:
                    return
                continue
            if arrival.before > position:
                return
            if arrival.last > position:
                lines, position = _behind(arrival, position), arrival.last
                yield lines, position


def _behind(arrival: Arrival, position: int) -> Sequence[Line]:
    """The lines of an arrival that the reader does not have yet."""
    if arrival.before == position:
        return arrival.lines
    return [line for line in arrival.lines if line.offset > position]


def _skipped(query: Query, lost: Lost) -> Line:
    """What a slow viewer sees in place of what it lost; reading on after its offset joins on behind the gap."""
    text = f"… {lost.lines} lines skipped"
    return Line(time.time_ns(), query.project_id, query.deployment_id, "", query.source or RUN, SYSTEM, text, lost.last)
