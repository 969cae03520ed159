"""Packing and unpacking of large blocks happens in a thread (zstd and orjson on 4 MiB take some 20 ms)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
THREAD_BYTES: Final = 128 << 10  # below this a thread costs more than it saves


async def off_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs `work` here when it is small, else in a thread.

    Args:
        size: bytes of text that it handles.
    """
    if size < THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
