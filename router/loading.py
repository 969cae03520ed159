"""Whole tables, without keeping requests waiting: they are built and taken apart in short slices of time.

A table is a million values. Whatever touches all of them asks its `Pace` every few values whether it is time to let the
loop serve requests; the garbage collector, which would walk through all releases again and again, leaves them alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import time
from collections.abc import Iterator
from typing import Final

from router.core.table import Table
from router.edge.context import Edge

SLICE_S: Final = 0.001
_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; others give memory back by themselves
_TRIM_EVERY: Final = 64  # steps: what is free by then goes back within a millisecond


class Pace:
    """Work in slices of `SLICE_S` seconds, between which the loop turns once."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = time.monotonic() + SLICE_S

    def due(self) -> bool:
        """Whether this slice is used up: call `rest`."""
        return time.monotonic() >= self._until

    async def rest(self) -> None:
        """Lets everything else go on."""
        await asyncio.sleep(0)
        self._until = time.monotonic() + SLICE_S


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is collected while a table is built, and what stands at the end is never looked at by the collector.

    Reference counts free nearly all garbage anyway, and all of a table. A pass over 100,000 releases takes 30 ms.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def adopt(edge: Edge, table: Table) -> None:
    """Serves a table from this call on; returns when what it replaces is taken apart.

    One at a time: the table must not be replaced before this returns.
    """
    pace, steps = Pace(), table.succeed(edge.table)
    edge.table = table
    edge.changed()
    for number, left in enumerate(steps, 1):
        edge.retire(left)
        if number % _TRIM_EVERY == 0:
            _give_back()
        if pace.due():
            await pace.rest()
    # Python keeps some thousands of freed tuples for itself, and each of them a megabyte of the old table.
    _ = gc.collect()
    _give_back()


def _give_back() -> None:
    """Freed dicts lie between others in malloc's heap, and their pages stay with us unless it is told."""
    if _TRIM is not None:
        _TRIM(0)
