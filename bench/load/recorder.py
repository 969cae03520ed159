"""Counts what happens in one process, in the slice of the intended start, and hands it over from time to time."""

from __future__ import annotations

import time
from typing import Final

from bench.load.tally import Tally

_NS_US: Final = 1_000


class Recorder:
    """The counts since they were last taken.

    Attributes:
        taken_s: when that was, on the monotonic clock.
    """

    __slots__ = ("_begin_ns", "_cpu_s", "_slice_ns", "taken_s", "tally")

    def __init__(self, slice_s: float) -> None:
        self.tally = Tally()
        self.taken_s = time.monotonic()
        self._begin_ns = 0
        self._slice_ns = int(slice_s * 1e9)
        self._cpu_s = time.process_time()

    def start(self, begin_ns: int) -> None:
        """The schedule's begin, on the monotonic clock."""
        self._begin_ns = begin_ns

    def due(self, name: str, intended: int) -> None:
        """A request's time has come."""
        self.tally.lane((intended - self._begin_ns) // self._slice_ns, name).due += 1

    def good(self, name: str, intended: int, size: int) -> None:
        """It was answered as expected."""
        lane = self.tally.lane((intended - self._begin_ns) // self._slice_ns, name)
        lane.good += 1
        lane.size += size
        lane.latency.add((time.monotonic_ns() - intended) // _NS_US)

    def failed(self, name: str, intended: int, kind: str, waited: bool = False) -> None:
        """It was not. `waited`: until its deadline, so that the time counts."""
        lane = self.tally.lane((intended - self._begin_ns) // self._slice_ns, name)
        lane.fail(kind)
        if waited:
            lane.latency.add((time.monotonic_ns() - intended) // _NS_US)

    def gap(self, name: str, since: int) -> None:
        """An event of a stream came; how long after the one before it."""
        now = time.monotonic_ns()
        lane = self.tally.lane((now - self._begin_ns) // self._slice_ns, name)
        lane.due += 1
        lane.good += 1
        lane.latency.add((now - since) // _NS_US)

    def take(self) -> Tally:
        """The counts so far; counting begins anew."""
        taken, self.tally = self.tally, Tally()
        now = time.process_time()
        taken.cpu_s, self._cpu_s = now - self._cpu_s, now
        self.taken_s = time.monotonic()
        return taken
