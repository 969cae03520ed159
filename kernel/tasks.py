"""Background work: every task is named, referenced until it ends, and its failure is logged.

Raw `asyncio.create_task` is a lint error elsewhere, because a task that nobody holds may vanish and one that nobody
awaits fails in silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from kernel.errors import ShipoffError

T = TypeVar("T")
log = logging.getLogger(__name__)
_running: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Starts a named background task; a failure other than cancellation is logged with its traceback."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background task %s failed", task.get_name(), exc_info=error)


async def repeat(
    work: Callable[[], Awaitable[object]], every_s: float, trouble: str, wake: asyncio.Event | None = None
) -> None:
    """Does a piece of work over and over, with a pause before each turn; one that fails does not end it.

    Args:
        trouble: what is logged of a turn that failed, before the reason: "releases are not swept".
        wake: ends a pause early when it is set, also when that was during the turn before.
    """
    while True:
        await _pause(every_s, wake)
        try:
            await work()
        except (ShipoffError, OSError) as error:
            log.warning("%s: %s", trouble, error)
        except Exception:
            log.exception("%s, by a fault", trouble)


async def _pause(seconds: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()
    wake.clear()


async def stop(*tasks: asyncio.Task[Any] | None, within_s: float = 5.0) -> None:
    """Cancels tasks and waits for them, at most `within_s` seconds; whatever they raise has been logged already.

    A cancellation that meets the end of an inner wait can be swallowed by it (asyncio.wait_for before Python 3.12, and
    clients built on it), so it is repeated until the task ends.
    """
    live = {task for task in tasks if task is not None and not task.done()}
    give_up = asyncio.get_running_loop().time() + within_s
    while live and asyncio.get_running_loop().time() < give_up:
        for task in live:
            task.cancel()
        _, live = await asyncio.wait(live, timeout=min(0.25, within_s))
    for task in live:
        log.error("background task %s ignored its cancellation for %.1f s", task.get_name(), within_s)
