"""Who builds next: as many at a time as the machine bears, and tenants in turn.

Round robin: each tenant that waits gets one turn in a round, in the order in which they began to wait; within a tenant
the first to come is the first served. So one tenant's hundred pushes delay another's single push by one build.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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


class Turns:
    """The queue in front of the builds.

    Args:
        at_once: builds at a time.
        within_s: how long somebody waits at most. How many wait is bounded where they are let in (consumer.py).
    """

    def __init__(self, at_once: int, within_s: float) -> None:
        self._free, self._within_s = at_once, within_s
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # the order of its keys is the order of the round

    @asynccontextmanager
    async def take(self, tenant: str) -> AsyncIterator[Turn]:
        """Waits for a turn, which lasts until it is ended or the block is.

        Raises:
            ShipoffError: QUEUE_TIMED_OUT.
        """
        await self._wait(tenant)
        turn = Turn(self._hand_over)
        try:
            yield turn
        finally:
            turn.end()

    async def _wait(self, tenant: str) -> None:
        if self._free:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(place)
        try:
            await asyncio.wait([place], timeout=self._within_s)
        except asyncio.CancelledError:
            self._leave(place)
            raise
        if not place.done():
            self._leave(place)
            raise QUEUE_TIMED_OUT(f"no turn to build came within {self._within_s:g} s")

    def _leave(self, place: asyncio.Future[None]) -> None:
        """Nobody waits at this place any more; a turn that came in the same moment goes to the next."""
        if not place.cancel():
            self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting:
            tenant = next(iter(self._waiting))
            places = self._waiting.pop(tenant)
            place = places.popleft()
            if places:
                self._waiting[tenant] = places  # behind all others
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
