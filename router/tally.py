"""What all workers of a router counted, those included that have crashed: a sum that never goes backwards.

A worker is asked for its numbers every second and for every scrape. What it said last stays in the sum when it does not
answer in time and when it dies, so a crash loses a second of counts at most and takes back none that was shown.
"""

from __future__ import annotations

from typing import Final

from router import metrics
from router.metrics import Numbers

_MOST_DEAD: Final = 32


class Tally:
    """Numbers by worker. A worker is named by a number that is not used twice (a pid may be)."""

    def __init__(self) -> None:
        self._seen: dict[int, Numbers] = {}
        self._dead: dict[int, None] = {}
        self._folded: set[int] = set()
        self._gone = metrics.nothing()

    def note(self, worker: int, numbers: Numbers) -> None:
        """A worker has said what it counted; also of one that has died since, whose answer was still on its way."""
        if worker not in self._folded:
            self._seen[worker] = metrics.without_gauges(numbers) if worker in self._dead else numbers

    def bury(self, worker: int) -> None:
        """A worker has ended: its counts stay, its gauges do not."""
        self._dead[worker] = None
        if worker in self._seen:
            self._seen[worker] = metrics.without_gauges(self._seen[worker])
        while len(self._dead) > _MOST_DEAD:
            oldest = next(iter(self._dead))
            del self._dead[oldest]
            self._folded.add(oldest)
            if oldest in self._seen:
                self._gone = metrics.add(self._gone, self._seen.pop(oldest))

    def total(self) -> Numbers:
        """The sum."""
        total = self._gone
        for numbers in self._seen.values():
            total = metrics.add(total, numbers)
        return total
