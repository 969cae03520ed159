"""When requests are meant to start: a schedule that knows nothing of answers.

A closed loop waits for each answer before it sends the next request, so a stall of the server costs it one slow request
however many users would have met it. Here the schedule is fixed before the first byte is sent.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of time whose rate goes in a straight line from one value to another.

    Attributes:
        first: arrivals a second at its begin.
        last: at its end.
    """

    seconds: float
    first: float
    last: float

    @property
    def arrivals(self) -> float:
        """How many are expected."""
        return (self.first + self.last) / 2 * self.seconds

    def reach(self, arrivals: float) -> float:
        """Seconds from its begin until so many are expected."""
        slope = (self.last - self.first) / self.seconds
        root = math.sqrt(max(0.0, self.first**2 + 2 * slope * arrivals))
        return 2 * arrivals / (self.first + root)


def times(stages: Sequence[Stage], *, random_gaps: bool, part: int, of: int, seed: int) -> Iterator[float]:
    """Offsets in seconds of one process's part of the arrivals.

    Args:
        random_gaps: a Poisson process, as independent users make it; otherwise evenly spaced.
        part: which of the processes this is; together they make the whole rate.
    """
    chance = random.Random(seed * 1009 + part)
    expected = chance.expovariate(1) * of if random_gaps else part + 0.5
    begin = passed = 0.0
    for stage in stages:
        while expected - passed < stage.arrivals:
            yield begin + stage.reach(expected - passed)
            expected += chance.expovariate(1) * of if random_gaps else of
        passed += stage.arrivals
        begin += stage.seconds
