"""Who builds next: as many at a time as the machine bears, tenants in turn, and none more than its plan gives.

Round robin: each tenant that waits gets one turn in a round, in the order in which they began to wait; within a tenant
the first to come is the first served. So one tenant's hundred pushes delay another's single push by one build. A tenant
that builds as much as it may is passed over until one of its builds ends. Each orchestrator has its own turns: where
there are several, a tenant may build so much on each.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from kernel.errors import define

QUEUE_TIMED_OUT = define(
    "QUEUE_TIMED_OUT", status=503, hint="the platform builds more than it can; deploy again when it is calmer"
)


class Turn:
    """The right to build; ended once, however often it is said."""

    def __init__(self, give: Callable[[], None]) -> None:
        self._give: Callable[[], None] | None = give

    def end(self) -> None:
        """Lets the next one build."""
        give, self._give = self._give, None
        if give is not None:
            give()


NO_TURN: Final = Turn(lambda: None)  # of work that builds nothing


@dataclass(slots=True)
class _Place:
    """A place in the queue of a tenant; `most` is how many builds it may have at a time, None any number."""

    tenant: str
    most: int | None
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """The queue in front of the builds.

    Args:
        at_once: builds at a time.
        within_s: how long somebody waits at most. How many wait is bounded where they are let in (consumer.py).
    """

    def __init__(self, at_once: int, within_s: float) -> None:
        self._free, self._within_s = at_once, within_s
        self._waiting: dict[str, deque[_Place]] = {}  # the order of its keys is the order of the round
        self._building: Counter[str] = Counter()

    @asynccontextmanager
    async def take(self, tenant: str, most: int | None = None) -> AsyncIterator[Turn]:
        """Waits for a turn, which lasts until it is ended or the block is.

        Args:
            tenant: whose build it is.
            most: builds that it may have at a time; None is any number, and 0 is read as 1.

        Raises:
            ShipoffError: QUEUE_TIMED_OUT.
        """
        await self._wait(_Place(tenant, None if most is None else max(most, 1)))
        turn = Turn(lambda: self._end(tenant))
        try:
            yield turn
        finally:
            turn.end()

    async def _wait(self, place: _Place) -> None:
        self._waiting.setdefault(place.tenant, deque()).append(place)
        self._hand_out()
        if place.turn.done():
            return
        try:
            await asyncio.wait([place.turn], timeout=self._within_s)
        except asyncio.CancelledError:
            self._leave(place)
            raise
        if not place.turn.done():
            self._leave(place)
            raise QUEUE_TIMED_OUT(f"no turn to build came within {self._within_s:g} s")

    def _leave(self, place: _Place) -> None:
        """Nobody waits at this place any more; a turn that came in the same moment goes to the next."""
        if not place.turn.cancel():
            self._end(place.tenant)

    def _end(self, tenant: str) -> None:
        self._free += 1
        self._building -= Counter({tenant: 1})  # drops what reaches zero
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free and (place := self._next()) is not None:
            self._free -= 1
            self._building[place.tenant] += 1
            place.turn.set_result(None)

    def _next(self) -> _Place | None:
        """Takes the first place out of the round whose tenant may build more; places that were left go too."""
        for tenant in list(self._waiting):
            places = self._waiting[tenant]
            while places and places[0].turn.done():
                places.popleft()
            if not places:
                del self._waiting[tenant]
            elif places[0].most is None or self._building[tenant] < places[0].most:
                place = places.popleft()
                del self._waiting[tenant]
                if places:
                    self._waiting[tenant] = places  # behind all others
                return place
        return None
