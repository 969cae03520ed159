"""A limit of requests at once per instance, and the bounded queue of those that wait (rule `concurrency`).

Counted are the requests of routes with the rule, in this worker, from the pick of an instance to the end of the answer;
an upgraded connection counts until its 101. Who comes first is served first, and nobody overtakes the queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from kernel.tasks import spawn
from router.core.balance import Endpoint, pick
from router.core.errors import QUEUE_FULL, QUEUE_TIMEOUT
from router.core.request import DIAL, Request
from router.core.rules import Lanes
from router.core.table import Release

if TYPE_CHECKING:
    from router.edge.server import Client

_SWEEP_S: Final = 0.1


class Lane:
    """The limited requests of one release.

    Attributes:
        active: requests at each instance.
        queue: (client, request, deadline on the worker's clock) of those that wait.
    """

    __slots__ = ("active", "limit", "queue", "serving")

    def __init__(self) -> None:
        self.active: dict[Endpoint, int] = {}
        self.queue: deque[tuple[Client, Request, float]] = deque()
        self.limit = 0
        self.serving = False


class LaneTable:
    """The lanes of a worker, by release; those that are empty are forgotten."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def pick(self, client: Client, request: Request, release: Release, rule: Lanes) -> Endpoint | None:
        """Picks an instance that has room; otherwise the request waits, or is refused with QUEUE_FULL.

        Returns:
            None when it waits or was refused (`request.ruled.waits`), or when no instance is left to try.
        """
        ruled = request.ruled
        self.leave(request)
        lane = self._lanes.setdefault(release.id, Lane())
        lane.limit = rule.limit
        ruled.lane = release.id
        if not lane.queue or ruled.called:
            free = [e for e in release.endpoints if lane.active.get(e, 0) < rule.limit]
            endpoint = pick(free, client.edge.now, request.tried)
            if endpoint is not None or len(free) == len(release.endpoints):
                ruled.waits = False
                if endpoint is not None:
                    ruled.endpoint = endpoint
                    lane.active[endpoint] = lane.active.get(endpoint, 0) + 1
                return endpoint
        ruled.waits = True
        self._enqueue(client, request, lane, rule)
        return None

    def leave(self, request: Request) -> None:
        """A request no longer occupies its instance."""
        ruled = request.ruled
        endpoint, ruled.endpoint = ruled.endpoint, None
        lane = self._lanes.get(ruled.lane)
        if lane is None or endpoint is None:
            return
        lane.active[endpoint] -= 1
        if not lane.active[endpoint]:
            del lane.active[endpoint]
        self._serve(lane)
        if not lane.active and not lane.queue:
            self._lanes.pop(ruled.lane, None)

    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(lane.queue) for lane in self._lanes.values())

    def _enqueue(self, client: Client, request: Request, lane: Lane, rule: Lanes) -> None:
        if len(lane.queue) >= rule.queue:
            client.refuse(QUEUE_FULL, "too many requests wait for this app already")
            return
        request.move(DIAL)
        client.deadline = 0.0  # the queue has its own
        lane.queue.append((client, request, client.edge.now + rule.queue_s))
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = spawn(self._sweep(), "router.lanes")

    def _serve(self, lane: Lane) -> None:
        """Calls those who wait, as long as an instance has room."""
        if lane.serving:
            return  # called from within; the loop below goes on
        lane.serving = True
        try:
            while lane.queue:
                client, request, _ = lane.queue[0]
                if not _is_waiting(client, request):
                    lane.queue.popleft()
                    continue
                release = client.edge.table.releases.get(request.ruled.lane)
                if release is not None and all(lane.active.get(e, 0) >= lane.limit for e in release.endpoints):
                    return
                lane.queue.popleft()
                request.ruled.called = True
                client.dispatch(request)
        finally:
            lane.serving = False

    async def _sweep(self) -> None:
        """Refuses those whose time is up; runs only while somebody waits."""
        while self.waiting():
            for lane in list(self._lanes.values()):
                for client, request, _ in [entry for entry in lane.queue if entry[2] < entry[0].edge.now]:
                    if _is_waiting(client, request):
                        client.refuse(QUEUE_TIMEOUT, "no instance of the app became free in time")
                lane.queue = deque(entry for entry in lane.queue if _is_waiting(entry[0], entry[1]))
                self._serve(lane)
            await asyncio.sleep(_SWEEP_S)


def _is_waiting(client: Client, request: Request) -> bool:
    return client.request is request and request.phase == DIAL
