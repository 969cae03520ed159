"""A clock that ticks inside the loop more finely than the loop's own timers, which know milliseconds only."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
from collections.abc import Callable
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_CLOCK_MONOTONIC: Final = 1
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK | TFD_CLOEXEC
_PERIOD_NS: Final = 250_000


class Pulse:
    """Calls something every quarter of a millisecond (Linux, timerfd_create(2))."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._descriptor: int = _LIBC.timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        period = struct.pack("qqqq", 0, _PERIOD_NS, 0, _PERIOD_NS)
        if _LIBC.timerfd_settime(self._descriptor, 0, period, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        asyncio.get_running_loop().add_reader(self._descriptor, self._tick)

    def _tick(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)
        self._call()

    def stop(self) -> None:
        """Ticks no more."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
