"""Durations counted in buckets, so that a long run needs no more memory than a short one.

The buckets are HdrHistogram's: linear below 128 µs, then 128 of them for each power of two, which keeps every value to
0.8 %. It refuses nothing: what is longer than a day counts as a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_BITS: Final = 7
_LINEAR: Final = 1 << _BITS
_LONGEST_US: Final = 86_400_000_000


class Histogram:
    """Counts of durations.

    Attributes:
        counts: bucket -> how many.
        count: of all values.
        largest: µs, exact.
    """

    __slots__ = ("count", "counts", "largest")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.count = 0
        self.largest = 0

    def add(self, us: int) -> None:
        """Counts a duration in microseconds."""
        us = min(max(us, 0), _LONGEST_US)
        if us < _LINEAR:
            bucket = us
        else:
            shift = us.bit_length() - _BITS - 1
            bucket = (shift << _BITS) + (us >> shift)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.count += 1
        self.largest = max(self.largest, us)

    def merge(self, other: Histogram) -> None:
        """Adds another's counts."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.count += other.count
        self.largest = max(self.largest, other.largest)

    def percentile(self, percent: float) -> float:
        """The duration in µs that `percent` of the values do not exceed; 0 without values."""
        wanted, seen = self.count * percent / 100, 0
        for top, count in self.steps():
            seen += count
            if seen >= wanted:
                return top
        return 0.0

    def above(self, us: int) -> int:
        """How many values lie in buckets wholly above a duration."""
        return sum(count for bucket, count in self.counts.items() if _bottom(bucket) > us)

    def steps(self) -> Iterator[tuple[float, int]]:
        """(largest duration of the bucket in µs, count), from the shortest on."""
        for bucket in sorted(self.counts):
            yield float(min(_bottom(bucket + 1) - 1, self.largest)), self.counts[bucket]


def _bottom(bucket: int) -> int:
    if bucket < _LINEAR:
        return bucket
    shift = (bucket >> _BITS) - 1
    return (bucket - (shift << _BITS)) << shift
