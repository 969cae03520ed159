"""Tells the orchestrators what each release does: one `activity.reported` a second and worker on the stream `activity`.

What could not be told is not told later: a second's report is worth nothing after some seconds, so a report that Redis
does not take is dropped and counted, and the stream keeps a minute. Requests never wait for this. A worker without
requests reports too, and one that stops says so: its silence could else be taken for idleness, and apps in use be put
to sleep.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from redis.exceptions import RedisError

from kernel.activity import ReleaseActivity
from kernel.events import ActivityReported, Envelope
from kernel.streams import connect
from kernel.tasks import spawn, stop
from router import clock
from router.edge.context import Edge

log = logging.getLogger(__name__)
KEPT_S: Final = 60  # for whoever was away for a moment; a wake that is older is asked for again (wakes.py)
_EVERY_S: Final = 1.0
_LONGEST_S: Final = 2.0  # for Redis to take a report
_MOST: Final = 500  # releases in one event, some 100 KB
_SLICE: Final = 64  # releases looked at before others may use the loop


class ActivityReports:
    """A worker's reports.

    Args of the constructor:
        name: this worker's, as in `routers:<id>`.
    """

    def __init__(self, edge: Edge, url: str, name: str) -> None:
        self._edge = edge
        self._name = name
        self._redis = connect(url)
        self._task: asyncio.Task[None] | None = None
        self._since = clock.perf_counter()
        self._away = False

    def start(self) -> None:
        """Reports from now on."""
        self._since = clock.perf_counter()
        self._task = spawn(self._run(), "router.activity")

    async def stop(self) -> None:
        """Reports what is left, and nothing more."""
        if self._task is not None:
            await stop(self._task)
            await self._report(last=True)
        await self._redis.aclose()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self._report()

    async def _report(self, *, last: bool = False) -> None:
        taken = await self._take()
        now = clock.perf_counter()
        window_s, self._since = round(now - self._since, 3), now
        for at in range(0, max(1, len(taken)), _MOST):
            await self._publish(taken[at : at + _MOST], window_s, last=last)

    async def _take(self) -> list[ReleaseActivity]:
        taken: list[ReleaseActivity] = []
        waiting = self._edge.guard.lanes.waiting_by_release()
        for activity in self._edge.activities.take(clock.perf_counter(), waiting):
            taken.append(activity)
            if len(taken) % _SLICE == 0:
                await asyncio.sleep(0)
        return taken

    async def _publish(self, taken: Sequence[ReleaseActivity], window_s: float, *, last: bool) -> None:
        event = ActivityReported(self._name, window_s, [activity.wire() for activity in taken], last)
        oldest = int((time.time() - KEPT_S) * 1000)
        try:
            async with asyncio.timeout(_LONGEST_S):
                entry = {"e": Envelope(event, key=self._name).encode()}
                await self._redis.xadd(event.STREAM, entry, minid=oldest)  # type: ignore[arg-type]  # bytes are fine
            self._edge.metrics.reports += 1
            self._away = False
        except (RedisError, OSError, TimeoutError) as error:
            self._edge.metrics.reports_dropped += 1
            if not self._away:
                log.warning("reports of activity are dropped until Redis takes them: %r", error)
            self._away = True
