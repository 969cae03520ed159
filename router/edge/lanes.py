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
        queue: (client, request) of those that wait.
    """

    __slots__ = ("active", "limit", "queue", "serving")

    def __init__(self) -> None:
        self.active: dict[Endpoint, int] = {}
        self.queue: deque[tuple[Client, Request]] = deque()
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
            usable = _usable(release, request)
            free = [e for e in usable if lane.active.get(e, 0) < rule.limit]
            endpoint = pick(free, client.edge.now, request.tried)
            if endpoint is not None or len(free) == len(usable):
                ruled.waits = False
                if endpoint is not None:
                    ruled.endpoint = endpoint
                    lane.active[endpoint] = lane.active.get(endpoint, 0) + 1
                else:
                    self._forget(release.id, lane)
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
        self._forget(ruled.lane, lane)

    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(lane.queue) for lane in self._lanes.values())

    def _enqueue(self, client: Client, request: Request, lane: Lane, rule: Lanes) -> None:
        ruled = request.ruled
        if not ruled.called and len(lane.queue) >= rule.queue:
            client.refuse(QUEUE_FULL, "too many requests wait for this app already")
            return
        request.move(DIAL)
        client.deadline = 0.0  # the queue has its own
        if ruled.called:
            lane.queue.appendleft((client, request))  # the instance that it was called for did not accept it
        else:
            ruled.until = client.edge.now + rule.queue_s
            lane.queue.append((client, request))
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = spawn(self._sweep(), "router.lanes")

    def _serve(self, lane: Lane) -> None:
        """Calls those who wait, as long as an instance has room."""
        if lane.serving:
            return  # called from within; the loop below goes on
        lane.serving = True
        try:
            for _ in range(len(lane.queue)):  # a bound: whoever is called has a place, or is refused
                entry = _next(lane)
                if entry is None:
                    return
                lane.queue.remove(entry)
                client, request = entry
                request.ruled.called = True
                client.dispatch(request)
        finally:
            lane.serving = False

    def _forget(self, name: str, lane: Lane) -> None:
        if not lane.active and not lane.queue:
            self._lanes.pop(name, None)

    async def _sweep(self) -> None:
        """Refuses those whose time is up; runs only while somebody waits."""
        while self.waiting():
            for lane in list(self._lanes.values()):
                for client, request in list(lane.queue):
                    if request.ruled.until < client.edge.now and _is_waiting(client, request):
                        client.refuse(QUEUE_TIMEOUT, "no instance of the app became free in time")
                lane.queue = deque(entry for entry in lane.queue if _is_waiting(*entry))
                self._serve(lane)
            await asyncio.sleep(_SWEEP_S)


def _is_waiting(client: Client, request: Request) -> bool:
    return client.request is request and request.phase == DIAL


def _usable(release: Release, request: Request) -> list[Endpoint]:
    """The instances that this request may go to: those that drain (weight 0) or that failed it are none of them."""
    alone = len(release.endpoints) == 1
    return [e for e in release.endpoints if (e.weight or alone) and e not in request.tried]


def _next(lane: Lane) -> tuple[Client, Request] | None:
    """The first of those who wait for whom an instance has room, or who waits for one that has gone."""
    for entry in lane.queue:
        client, request = entry
        if not _is_waiting(client, request):
            continue
        release = client.edge.table.releases.get(request.ruled.lane)
        usable = _usable(release, request) if release is not None else []
        if not usable or any(lane.active.get(e, 0) < lane.limit for e in usable):
            return entry
        if not request.tried:
            return None  # nobody behind has more to choose from
    return None
