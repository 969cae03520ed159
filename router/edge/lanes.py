"""Where requests wait for an instance, and who goes next: one bounded queue per release.

Three things are waited for:

- room, where the rule `concurrency` limits the requests of an instance (`pick`);
- a connection, where a worker has as many to an endpoint, or in all, as it may have (`wait`);
- an instance, while the release sleeps, wakes or switches (edge/hold.py, `hold`).

Who comes first is served first, and nobody who is bound by the rule overtakes the queue. Counted are the requests of
routes with the rule, and of those that had to wait, in this worker, from the pick of an instance to the end of the
answer; an upgraded connection counts until its 101. Whoever goes away leaves the queue at once. What has to be looked
at again after some time (deadlines, a route that names another release now) is looked at every `_SWEEP_S`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from kernel.errors import ErrorKind
from kernel.tasks import spawn
from router.core.balance import Endpoint, pick
from router.core.errors import ASLEEP, QUEUE_FULL, QUEUE_TIMEOUT
from router.core.records import DYNAMIC, SLEEPING
from router.core.releases import Release
from router.core.request import DIAL, Request
from router.edge.policing import ruled_of

if TYPE_CHECKING:
    from router.edge.context import Edge
    from router.edge.server import Client

_SWEEP_S: Final = 0.1
_RELOAD_S: Final = 2


class Waiter:
    """A request that waits, and what becomes of it.

    Attributes:
        until: its deadline on the worker's clock.
        held: it waits for an instance, and not only for room.
        kind, detail: what it is refused with at its deadline.
        page_at: when a browser is told to come back; 0.0 for never.
        size: bytes that it holds, where these are counted.
    """

    __slots__ = ("client", "detail", "held", "kind", "page_at", "request", "size", "until")

    def __init__(self, client: Client, request: Request, until: float, kind: ErrorKind, detail: str) -> None:
        self.client = client
        self.request = request
        self.until = until
        self.kind = kind
        self.detail = detail
        self.held = False
        self.page_at = 0.0
        self.size = 0


class Lane:
    """The limited and the waiting requests of one release.

    Attributes:
        active: limited requests at each instance.
        queue: those that wait, first come first.
        held, bytes: how many of them wait for an instance, and what they hold.
    """

    __slots__ = ("active", "bytes", "held", "id", "queue", "serving")

    def __init__(self, release: str) -> None:
        self.id = release
        self.active: dict[Endpoint, int] = {}
        self.queue: OrderedDict[Request, Waiter] = OrderedDict()
        self.held = 0
        self.bytes = 0
        self.serving = False


class LaneTable:
    """The lanes of a worker, by release; those that are empty are forgotten.

    Attributes:
        held, bytes: requests that wait for an instance, in all lanes, and what they hold.
    """

    def __init__(self, edge: Edge) -> None:
        self.held = 0
        self.bytes = 0
        self._edge = edge
        self._lanes: dict[str, Lane] = {}
        self._sweeper: asyncio.Task[None] | None = None

    # --- coming ------------------------------------------------------------------------------------------------------

    def pick(self, client: Client, request: Request, release: Release) -> Endpoint | None:
        """Picks an instance that has room; otherwise the request waits, or is refused with QUEUE_FULL.

        Returns:
            None when it waits or was refused (`request.ruled.waits`), or when no instance is left to try.
        """
        ruled = request.ruled
        self.leave(request)
        lane = self._lane(request, release.id)
        if not lane.queue or ruled.called:
            usable = _usable(release, request)
            free = [e for e in usable if self._has_room(lane, e, ruled.lanes.limit)]
            endpoint = pick(free, self._edge.now, request.tried)
            if endpoint is not None or len(free) == len(usable):
                if endpoint is not None:
                    ruled.endpoint = endpoint
                    lane.active[endpoint] = lane.active.get(endpoint, 0) + 1
                else:
                    self._forget(lane)
                return endpoint
        self._wait_for_room(client, request, lane)
        return None

    def wait(self, client: Client, request: Request, release: Release) -> None:
        """Lets a request wait for a connection, or refuses it with QUEUE_FULL."""
        ruled = ruled_of(request)
        if ruled.lanes is None:
            ruled.lanes = self._edge.guard.many
        self.leave(request)
        for endpoint in release.endpoints:
            endpoint.wanted = release.id
        self._wait_for_room(client, request, self._lane(request, release.id))

    def lane(self, release: str) -> Lane | None:
        """What waits for a release, if anything does."""
        return self._lanes.get(release)

    def add(self, release: str, waiter: Waiter) -> None:
        """Puts a request into the queue; one that was called out of it comes first again."""
        request = waiter.request
        ruled = request.ruled
        lane = self._lane(request, release)
        ruled.waits = True
        request.move(DIAL)
        waiter.client.deadline = 0.0  # the queue has its own
        lane.queue[request] = waiter
        if ruled.called:
            lane.queue.move_to_end(request, last=False)
        if waiter.held:
            self._count(lane, 1, waiter.size)
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = spawn(self._sweep(), "router.lanes")

    def grew(self, request: Request, size: int) -> bool:
        """More of a waiting request's body has come in; tells whether there is room for still more."""
        lane = self._lanes.get(request.ruled.lane)
        if lane is None:
            return True
        waiter = lane.queue.get(request)
        if waiter is None or not waiter.held:
            return True
        waiter.size += size
        self._count(lane, 0, size)
        settings = self._edge.settings
        return self.bytes < settings.hold_bytes and lane.bytes < settings.hold_release_bytes

    def _count(self, lane: Lane, held: int, size: int) -> None:
        lane.held += held
        lane.bytes += size
        self.held += held
        self.bytes += size

    def _lane(self, request: Request, release: str) -> Lane:
        lane = self._lanes.get(release)
        if lane is None:
            lane = self._lanes[release] = Lane(release)
        request.ruled.lane = release
        return lane

    def _wait_for_room(self, client: Client, request: Request, lane: Lane) -> None:
        ruled = request.ruled
        if len(lane.queue) - lane.held >= ruled.lanes.queue and not ruled.called:
            ruled.waits = True
            client.refuse(QUEUE_FULL, "too many requests wait for this app already")
            return
        until = ruled.until = ruled.until or self._edge.now + ruled.lanes.queue_s
        self.add(lane.id, Waiter(client, request, until, QUEUE_TIMEOUT, "no instance of the app became free in time"))

    # --- going -------------------------------------------------------------------------------------------------------

    def leave(self, request: Request) -> None:
        """A request no longer occupies its instance or its place in the queue."""
        ruled = request.ruled
        endpoint, ruled.endpoint = ruled.endpoint, None
        lane = self._lanes.get(ruled.lane)
        if lane is None:
            return
        self._remove(lane, request)
        if endpoint is not None:
            lane.active[endpoint] -= 1
            if not lane.active[endpoint]:
                del lane.active[endpoint]
            self._serve(lane)
        self._forget(lane)

    def make_room(self, endpoint: Endpoint) -> None:
        """A connection to an endpoint is free, or one more may be made."""
        lane = self._lanes.get(endpoint.wanted)
        if lane is None or not lane.queue:
            endpoint.wanted = ""
        else:
            self._serve(lane)

    def look(self) -> None:
        """Endpoints or routes have changed: calls those who can go on now."""
        for lane in [lane for lane in self._lanes.values() if lane.queue]:
            self._serve(lane)

    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(lane.queue) for lane in self._lanes.values())

    def waiting_by_release(self) -> dict[str, int]:
        """How many requests wait, by release."""
        return {lane.id: len(lane.queue) for lane in self._lanes.values() if lane.queue}

    def close(self) -> None:
        """Serves nobody any more."""
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _remove(self, lane: Lane, request: Request) -> None:
        waiter = lane.queue.pop(request, None)
        request.ruled.waits = False
        if waiter is not None and waiter.held:
            self._count(lane, -1, -waiter.size)

    def _forget(self, lane: Lane) -> None:
        if not lane.active and not lane.queue and not lane.serving:
            self._lanes.pop(lane.id, None)

    # --- who goes next -----------------------------------------------------------------------------------------------

    def _serve(self, lane: Lane) -> None:
        """Calls those who wait, as long as an instance has room."""
        if lane.serving:
            return  # called from within; the loop below goes on
        lane.serving = True
        try:
            for _ in range(len(lane.queue)):  # a bound: whoever is called has a place, or is refused
                waiter = self._next(lane)
                if waiter is None:
                    return
                request = waiter.request
                self._remove(lane, request)
                request.ruled.called = True
                waiter.client.dispatch(request)
                if request in lane.queue:
                    return  # somebody else was faster
        finally:
            lane.serving = False
            self._forget(lane)

    def _next(self, lane: Lane) -> Waiter | None:
        """The first of those who wait who can go on."""
        for waiter in lane.queue.values():
            if self._can_go(lane, waiter):
                return waiter
            if not waiter.request.tried:
                return None  # nobody behind has more to choose from
        return None

    def _can_go(self, lane: Lane, waiter: Waiter) -> bool:
        """Whether a dispatch now would bring the request further: to an instance, or to another answer."""
        head, table = waiter.request.head, self._edge.table
        route = table.find(head.host, head.target)
        if route is None or route.kind != DYNAMIC or not route.serves(lane.id):
            return True
        release = table.releases.get(lane.id)
        if release is None or not release.endpoints or release.state == SLEEPING:
            return not waiter.held
        limit, usable = waiter.request.ruled.lanes.limit, _usable(release, waiter.request)
        return not usable or any(self._has_room(lane, e, limit) for e in usable)

    def _has_room(self, lane: Lane, endpoint: Endpoint, limit: int) -> bool:
        return lane.active.get(endpoint, 0) < limit and (bool(endpoint.idle) or self._edge.has_room(endpoint))

    async def _sweep(self) -> None:
        """Refuses those whose time is up; runs only while somebody waits."""
        while self.waiting():
            now = self._edge.now
            for lane in list(self._lanes.values()):
                for waiter in [w for w in lane.queue.values() if w.until < now or 0 < w.page_at < now]:
                    self._end(waiter, now)
                self._serve(lane)
            await asyncio.sleep(_SWEEP_S)

    @staticmethod
    def _end(waiter: Waiter, now: float) -> None:
        if not waiter.request.ruled.waits:
            return  # it went on, or away, while others ended
        if waiter.until < now:
            waiter.client.refuse(waiter.kind, waiter.detail)
        else:
            waiter.client.refuse(ASLEEP, "the app is waking up", retry_after=_RELOAD_S)


def _usable(release: Release, request: Request) -> list[Endpoint]:
    """The instances that this request may go to: those that drain (weight 0) or that failed it are none of them."""
    alone = len(release.endpoints) == 1
    return [e for e in release.endpoints if (e.weight or alone) and e not in request.tried]
