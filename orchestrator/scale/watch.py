"""Follows the stream `activity`: reports become signals, and who is asked for is woken.

Without a consumer group: every orchestrator sees all of it, so whoever is to decide next knows as much as who decided
before. What is lost on the way is made good within a second, because what a router holds for a sleeping app stands in
its next report too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from redis.asyncio import Redis

from kernel import tasks
from kernel.activity import read
from kernel.errors import ShipoffError
from kernel.events import ActivityReported, Event, WakeRequested
from kernel.streams import follow
from orchestrator.scale.signals import Signals

log = logging.getLogger(__name__)
_MOST_WAKES: Final = 256  # at a time; those above it are asked for again by the next reports
Wake = Callable[[str], Awaitable[object]]


class ActivityWatch:
    """The follower.

    Args:
        redis: where the routers report.
        wake: wakes a release, given its id; called once at a time for each.

    Attributes:
        signals: what is known; on the clock of time.monotonic.
    """

    def __init__(self, redis: Redis, wake: Wake) -> None:
        self._redis, self._wake = redis, wake
        self.signals = Signals()
        self._task: asyncio.Task[None] | None = None
        self._waking: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begins following in the background."""
        self._task = tasks.spawn(self._run(), "activity")

    async def stop(self) -> None:
        """Stops."""
        await tasks.stop(self._task, *self._waking.values())

    async def _run(self) -> None:
        async for envelope in follow(self._redis, "activity"):
            try:
                self._take(envelope.data)
            except (KeyError, TypeError, ValueError) as error:
                log.error("a report of activity cannot be read: %r", error)

    def _take(self, event: Event) -> None:
        if isinstance(event, WakeRequested):
            self._begin(event.release_id)
        elif isinstance(event, ActivityReported):
            releases = [read(wire) for wire in event.releases]
            self.signals.note(event.router_id, releases, event.window_s, time.monotonic(), last=event.last)

    def _begin(self, release_id: str) -> None:
        if release_id in self._waking or len(self._waking) >= _MOST_WAKES:
            return
        task = self._waking[release_id] = tasks.spawn(self._guarded(release_id), f"wakes {release_id}")
        task.add_done_callback(lambda _: self._waking.pop(release_id, None))

    async def _guarded(self, release_id: str) -> None:
        try:
            await self._wake(release_id)
        except ShipoffError as error:
            log.warning("%s is not woken yet: %s", release_id, error)
