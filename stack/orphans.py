"""The processes that end up as children of `shipoff up` without it having started them.

An app outlives the orchestrator that started it, and a router's workers outlive their supervisor; the kernel hands both
to the nearest subreaper, which is us. While the stack runs they are only reaped when they end; when it stops, they are
asked to end and then killed, so that nothing is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

REAP_EVERY_S: Final = 2.0
_STEP_S: Final = 0.05


def children_of(pid: int) -> list[int]:
    """The direct children of a process (all its threads')."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            continue  # the thread ended
    return found


def descendants_of(pid: int) -> list[int]:
    """All processes below one, parents before children."""
    found: list[int] = []
    waiting = children_of(pid)
    while waiting:
        child = waiting.pop()
        found.append(child)
        waiting += children_of(child)
    return found


async def reap_forever(ours: Callable[[], Collection[int]]) -> None:
    """Collects the exit statuses of orphans, so that no zombie stays.

    Args:
        ours: the pids that somebody else waits for.
    """
    while True:
        reap(ours())
        await asyncio.sleep(REAP_EVERY_S)


def reap(ours: Collection[int]) -> list[int]:
    """Collects the orphans that have ended; returns those that still run."""
    alive = []
    for pid in children_of(os.getpid()):
        if pid in ours:
            continue
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue
        if not ended:
            alive.append(pid)
    return alive


async def end_all(ours: Collection[int], within_s: float) -> int:
    """Ends every orphan: SIGTERM, then SIGKILL to what is left, generation by generation.

    Args:
        ours: children that are not orphans.
        within_s: seconds between the two.

    Returns:
        How many had to be killed.
    """
    asked: set[int] = set()
    killed: set[int] = set()
    steps = round(within_s / _STEP_S)
    for step in range(2 * steps):
        alive = reap(ours)
        if not alive:
            break
        for pid in alive:
            if step >= steps:
                killed |= {pid, *descendants_of(pid)}
                _send(pid, signal.SIGKILL)
            elif pid not in asked:
                asked.add(pid)
                _send(pid, signal.SIGTERM)
        await asyncio.sleep(_STEP_S)
    return len(killed)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
