"""How long and how often each thing is measured: in full about 17 minutes, with --quick less than one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Plan:
    """The length of a run.

    Attributes:
        rounds: of each shape; the first one, GET 1 KB, gets `get_rounds`.
        seconds: of one sample.
        every: all peers take part in every shape, not only nginx and HAProxy.
        idle: connections held.
        budget_s: what would begin after so long is left out, and named.
    """

    get_rounds: int
    rounds: int
    seconds: float
    warm_s: float
    every: bool
    idle: int
    rate_rounds: int
    rate_seconds: float
    budget_s: float
    began: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Seconds of the budget that are left."""
        return self.budget_s - (time.monotonic() - self.began)


FULL: Final = {
    "get_rounds": 13,
    "rounds": 7,
    "seconds": 1.2,
    "warm_s": 0.3,
    "every": True,
    "idle": 10_000,
    "rate_rounds": 9,
    "rate_seconds": 3.0,
    "budget_s": 1200.0,
}
QUICK: Final = {
    "get_rounds": 2,
    "rounds": 1,
    "seconds": 0.5,
    "warm_s": 0.0,
    "every": False,
    "idle": 1_000,
    "rate_rounds": 1,
    "rate_seconds": 1.0,
    "budget_s": 42.0,
}


def plan(quick: bool) -> Plan:
    """The one or the other; its clock runs from now."""
    return Plan(**(QUICK if quick else FULL))  # type: ignore[arg-type]
