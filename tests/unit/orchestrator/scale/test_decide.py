"""Decisions: what Knative's windows do, and the invariants that hold whatever is measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.scale.decide import DELAY_S, STABLE_S, Bounds, Decision, Demand, Memory, decide

BOUNDS = Bounds(least=1, most=10, target=20, idle_s=300)
SLEEPY = Bounds(least=0, most=10, target=20, idle_s=300)
LOAD = st.floats(0, 1000)
DEMANDS = st.builds(Demand, stable=LOAD, panic=LOAD, idle_s=st.floats(0, 1000), complete=st.booleans())


@st.composite
def bounds(draw: st.DrawFn) -> Bounds:
    least = draw(st.integers(0, 5))
    return Bounds(least, draw(st.integers(least, 20)), draw(st.floats(0.5, 100)), draw(st.floats(0, 600)))


def steady(in_flight: float, idle_s: float = 0.0) -> Demand:
    return Demand(in_flight, in_flight, idle_s)


def once(demand: Demand, has: int, within: Bounds = BOUNDS) -> int:
    return decide(Memory(), demand, within, has, has, 1000.0).count


@pytest.mark.parametrize(
    ("demand", "has", "within", "count"),
    [
        (steady(0), 1, BOUNDS, 1),
        (steady(20), 1, BOUNDS, 1),
        (steady(21), 1, BOUNDS, 2),
        (steady(100), 5, BOUNDS, 5),
        (steady(1000), 5, BOUNDS, 10),
        (Demand(30, 100, 0), 2, BOUNDS, 5),  # panic: five are twice and more of two
        (Demand(30, 59, 0), 2, BOUNDS, 2),  # no panic: three are not twice of two
        (steady(0), 8, BOUNDS, 4),  # by half at most
        (steady(0, idle_s=299), 1, SLEEPY, 1),
        (steady(0, idle_s=300), 1, SLEEPY, 0),
        (steady(0, idle_s=300), 1, BOUNDS, 1),
        (Demand(0.01, 0, 10), 1, Bounds(0, 1, 20, 10), 0),  # idle for so long, though the minute had a request
        (Demand(0.01, 0, 10), 0, Bounds(0, 1, 20, 10), 0),
        (Demand(0.01, 0, 9), 1, Bounds(0, 1, 20, 10), 1),
        (Demand(0.01, 0, 10, complete=False), 1, Bounds(0, 1, 20, 10), 1),
        (steady(0, idle_s=300), 3, BOUNDS, 2),
        (Demand(0, 0, 900, complete=False), 3, SLEEPY, 3),
        (steady(0, idle_s=0), 0, SLEEPY, 0),  # asleep stays asleep
        (Demand(0.01, 0.1, 0), 0, SLEEPY, 1),  # a request waits
        (steady(0, idle_s=900), 3, Bounds(0, 0, 20, 300), 0),  # switched off
    ],
)
def test_one_decision(demand: Demand, has: int, within: Bounds, count: int) -> None:
    assert once(demand, has, within) == count


def run(loads: list[tuple[Demand, float]], within: Bounds = BOUNDS, has: int = 1) -> list[int]:
    """Decides one after the other; whatever was decided is there at once."""
    memory, now, counts = Memory(), 1000.0, []
    for demand, seconds in loads:
        now += seconds
        made: Decision = decide(memory, demand, within, has, has, now)
        memory, has = made.memory, made.count
        counts.append(has)
    return counts


def test_panic_takes_nothing_away_until_a_stable_window_has_passed() -> None:
    burst, calm = Demand(10, 100, 0), Demand(10, 5, 0)
    counts = run([(burst, 2), *[(calm, 2)] * 29])
    assert set(counts) == {5}
    after = run([(burst, 2), (calm, STABLE_S + 1), (calm, DELAY_S + 1), (calm, DELAY_S + 1), (calm, DELAY_S + 1)])
    assert after == [5, 3, 2, 1, 1]


def test_a_dip_shorter_than_the_delay_takes_nothing_away() -> None:
    counts = run([(steady(100), 2), *[(steady(20), 2)] * 5, (steady(100), 2)], has=5)
    assert set(counts) == {5}


def test_it_goes_to_sleep_at_once_when_its_time_is_up() -> None:
    idle = [(steady(0, idle_s=2.0 * n), 2.0) for n in range(160)]
    counts = run(idle, SLEEPY)
    assert counts.index(0) == 150
    assert set(counts[150:]) == {0}


@given(DEMANDS, bounds(), st.integers(0, 20), st.integers(0, 20))
def test_the_bounds_hold(demand: Demand, within: Bounds, has: int, ready: int) -> None:
    assert within.least <= decide(Memory(), demand, within, has, ready, 5.0).count <= within.most


@given(DEMANDS, DEMANDS, bounds(), st.integers(0, 20))
def test_more_load_never_means_fewer(one: Demand, other: Demand, within: Bounds, has: int) -> None:
    less = Demand(min(one.stable, other.stable), min(one.panic, other.panic), max(one.idle_s, other.idle_s))
    more = Demand(max(one.stable, other.stable), max(one.panic, other.panic), min(one.idle_s, other.idle_s))
    # Panic reads the panic window where calm reads the stable one; a panic that is below the stable load is no load.
    less = Demand(min(less.stable, less.panic), less.panic, less.idle_s)
    more = Demand(more.panic, more.panic, more.idle_s)
    assert decide(Memory(), less, within, has, has, 9.0).count <= decide(Memory(), more, within, has, has, 9.0).count


@given(st.lists(st.tuples(DEMANDS, st.floats(0.5, 20)), max_size=40), bounds(), st.integers(0, 10))
def test_it_never_goes_down_while_routers_are_not_heard_and_never_by_more_than_half(
    loads: list[tuple[Demand, float]], within: Bounds, has: int
) -> None:
    has = max(within.least, min(has, within.most))
    for (demand, _), count in zip(loads, run(loads, within, has), strict=True):
        if not demand.complete:
            assert count >= has
        elif count:
            assert count >= has / 2 or count == within.most
        has = count


@given(st.lists(st.tuples(DEMANDS, st.floats(0.5, 20)), max_size=40), bounds())
def test_nothing_sleeps_that_may_not_or_was_asked_for_lately(loads: list[tuple[Demand, float]], within: Bounds) -> None:
    has = max(1, within.least)
    for (demand, _), count in zip(loads, run(loads, within, has), strict=True):
        if not count and has:
            assert within.least == 0
            assert demand.idle_s >= within.idle_s or within.most == 0
        has = count


def test_what_is_remembered_is_bounded() -> None:
    memory = Memory()
    for n in range(1000):
        memory = decide(memory, steady(50), BOUNDS, 3, 3, 2.0 * n).memory
    assert len(memory.wanted) <= DELAY_S / 2 + 1
