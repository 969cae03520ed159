"""Repeats what fails for a passing fault of the platform; what a user's code does wrong fails at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from kernel.errors import ShipoffError

PAUSE_S: Final = (0.1, 0.3, 1.0, 2.0)
log = logging.getLogger(__name__)
T = TypeVar("T")


class Patience:
    """Waits for parts of the platform (the database, the object store, the gateway) that are away for a while.

    Args:
        within_s: how long one piece of work is repeated.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does the work.

        Raises:
            ShipoffError: it is not retryable, or the time is over.
        """
        give_up, tried = time.monotonic() + self._within_s, 0
        while True:
            try:
                return await work()
            except ShipoffError as error:
                pause = PAUSE_S[min(tried, len(PAUSE_S) - 1)]
                if not error.retryable or time.monotonic() + pause > give_up:
                    raise
                log.warning("a deployment waits: %s", error)
            tried += 1
            await asyncio.sleep(pause)
