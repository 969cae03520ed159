"""What instances use, measured when somebody asks: nobody looks, nothing is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.drivers.base import Driver, Usage

FRESH_S: Final = 1.0  # who asks again within this gets the same answer
WINDOW_S: Final = 30.0  # processor time is compared with a measurement that is at most so old
PAUSE_S: Final = 0.25  # without one, between two of our own


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one instance; `cpu_share` is processors in use of late, e.g. 0.5."""

    usage: Usage
    cpu_share: float


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    usage: Mapping[str, Usage]


class Meter:
    """Measures all running instances at once."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._last: _Sample | None = None
        self._measured: dict[str, Measured] = {}
        self._one = asyncio.Lock()

    async def read(self) -> Mapping[str, Measured]:
        """By instance."""
        async with self._one:
            now = time.monotonic()
            if self._last is None or now - self._last.at > WINDOW_S:
                self._last = await self._sample()
                await asyncio.sleep(PAUSE_S)
            elif now - self._last.at < FRESH_S:
                return self._measured
            sample = await self._sample()
            self._measured = _compared(self._last, sample)
            self._last = sample
            return self._measured

    async def _sample(self) -> _Sample:
        usage = await self._driver.usage()
        return _Sample(time.monotonic(), usage)


def _compared(before: _Sample, after: _Sample) -> dict[str, Measured]:
    seconds = max(after.at - before.at, 0.001)
    found = {}
    for instance_id, usage in after.usage.items():
        earlier = before.usage.get(instance_id)
        share = max(0.0, usage.cpu_s - earlier.cpu_s) / seconds if earlier is not None else 0.0
        found[instance_id] = Measured(usage, share)
    return found
