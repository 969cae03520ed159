"""Work that goes on after its answer, so that the time of the answer tells nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from kernel import tasks
from kernel.errors import UNAVAILABLE

MOST: Final = 200  # at a time; each is a few queries
END_S: Final = 3.0


class Background:
    """Holds such work until it is done."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begins.

        Raises:
            ShipoffError: UNAVAILABLE when too much goes on already; whoever asked may ask again.
        """
        if len(self._running) >= MOST:
            work.close()
            raise UNAVAILABLE("too many requests wait for their work")
        task = tasks.spawn(work, name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def done(self) -> None:
        """Waits until what was begun has ended."""
        if self._running:
            await asyncio.wait(self._running)

    async def stop(self) -> None:
        """Lets it end, for a few seconds, then cancels it."""
        if self._running:
            await asyncio.wait(self._running, timeout=END_S)
        await tasks.stop(*self._running)
