"""How many instances an environment should have, as Knative's autoscaler (KPA) decides it: pure.

https://knative.dev/docs/serving/autoscaling/kpa-specific/ and knative/serving docs/scaling/SYSTEM.md describe it:

- The stable window (60 s) says `ceil(average in flight / target)`.
- The panic window (6 s) says the same of the last seconds. When that is at least twice what is ready, panic begins:
  until a stable window has passed without, the larger number holds and nothing is taken away. A burst is met in
  seconds, and a dip within it costs no instance.
- What goes down goes by half at most in one step, and only to the most that was wanted within `DELAY_S`.
- To zero only where `least` is 0, after `idle_s` without a request; where that is shorter than the windows, it counts.

Two additions. Requests that wait for an instance count as in flight, so a burst on a sleeping app is seen before the
first instance is there. And when not every router could be heard (`Demand.complete`), nothing goes down: silence of a
router is no proof of idleness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

STABLE_S: Final = 60.0
PANIC_S: Final = 6.0
DELAY_S: Final = 30.0
_PANIC_RATIO: Final = 2.0
_DOWN_RATIO: Final = 2.0
_ROUNDING: Final = 1e-6  # 40.0000001 in flight are two instances of 20, not three


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the plan and its owner allow.

    Attributes:
        least, most: instances.
        target: requests in flight per instance.
        idle_s: without a request for this long it may sleep, where `least` is 0.
    """

    least: int
    most: int
    target: float
    idle_s: float


@dataclass(frozen=True, slots=True)
class Demand:
    """What was measured of an environment.

    Attributes:
        stable, panic: requests in flight or waiting, averaged over the windows of these names.
        idle_s: how long there has been none, as far as is known.
        complete: every router was heard lately.
    """

    stable: float
    panic: float
    idle_s: float
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Memory:
    """What one decision leaves to the next. Times are of the caller's clock, in seconds.

    Attributes:
        panic_until: 0.0 without panic.
        peak: the most that was wanted in this panic.
        wanted: (when, how many) of the last `DELAY_S`.
    """

    panic_until: float = 0.0
    peak: int = 0
    wanted: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """How many instances, and what to remember."""

    count: int
    memory: Memory


def decide(memory: Memory, demand: Demand, bounds: Bounds, now_has: int, ready: int, now: float) -> Decision:
    """Decides anew.

    Args:
        now_has: what was decided before: 0 is asleep.
        ready: instances that serve.
        now: of a clock that never goes back.
    """
    panic = _wants(demand.panic, bounds.target)
    panic_until, peak = _panic(memory, panic, max(1, ready), now)
    wanted = max(panic, peak) if panic_until else _wants(demand.stable, bounds.target)
    if panic_until:
        peak = wanted
    recent = (*((at, count) for at, count in memory.wanted if now - at < DELAY_S), (now, wanted))
    count = _down(max(count for _, count in recent), demand, bounds, now_has)
    return Decision(max(bounds.least, min(count, bounds.most)), Memory(panic_until, peak, recent))


def _wants(in_flight: float, target: float) -> int:
    return math.ceil(in_flight / target - _ROUNDING)


def _panic(memory: Memory, wanted: int, ready: int, now: float) -> tuple[float, int]:
    if wanted >= _PANIC_RATIO * ready:
        return now + STABLE_S, memory.peak
    return (memory.panic_until, memory.peak) if now < memory.panic_until else (0.0, 0)


def _down(wanted: int, demand: Demand, bounds: Bounds, now_has: int) -> int:
    """What is left of a number that may be below the present one, or zero."""
    is_idle = not bounds.least and demand.idle_s >= bounds.idle_s
    if is_idle and (demand.complete or not now_has):
        return 0  # whatever the windows remember: there is nothing in flight, and has been nothing for so long
    if not demand.complete:
        return max(wanted, now_has)
    if not now_has:
        return max(wanted, math.ceil(demand.panic))  # asleep, until somebody asks
    return max(wanted, math.ceil(now_has / _DOWN_RATIO), 1)
