"""Reports of many routers make one number, and a router that is not heard is not taken for idle."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from kernel.activity import ReleaseActivity
from orchestrator.scale.signals import FORGOTTEN_S, LOST_S, QUIET_S, Signals


def busy(in_flight: float, window_s: float = 1.0, waiting: int = 0) -> list[ReleaseActivity]:
    return [ReleaseActivity("rel_1", requests=1, busy_s=in_flight * window_s, waiting=waiting)]


@given(st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 50)), min_size=1, max_size=6))
def test_the_average_is_the_sum_over_routers_whenever_they_report(routers: list[tuple[float, float]]) -> None:
    signals = Signals()
    for second in range(1, 71):
        for n, (phase, load) in enumerate(routers):
            signals.note(f"router_{n}", busy(load), 1.0, 100 + second + phase)
    expected = sum(load for _, load in routers)
    assert math.isclose(signals.average(["rel_1"], 60, 170.0), expected, rel_tol=0.001, abs_tol=0.001)
    assert math.isclose(signals.average(["rel_1"], 6, 170.0), expected, rel_tol=0.001, abs_tol=0.001)


def test_a_late_report_speaks_of_all_its_time() -> None:
    signals = Signals()
    signals.note("router_1", busy(10, window_s=4.0), 4.0, 110.0)
    assert math.isclose(signals.average(["rel_1"], 6, 110.0), 40 / 6)


def test_what_waits_is_demand() -> None:
    signals = Signals()
    signals.note("router_1", busy(0, waiting=12), 1.0, 110.0)
    assert math.isclose(signals.average(["rel_1"], 6, 110.0), 2.0)


def test_what_was_done_is_forgotten_with_time_and_the_releases_of_one_app_add_up() -> None:
    signals = Signals()
    signals.note("router_1", busy(10), 1.0, 110.0)
    signals.note("router_1", [ReleaseActivity("rel_2", busy_s=5)], 1.0, 110.0)
    assert signals.average(["rel_1", "rel_2"], 6, 110.0) == 15 / 6
    assert signals.average(["rel_1", "rel_2"], 6, 117.0) == 0
    assert signals.average(["rel_3"], 6, 110.0) == 0
    signals.note("router_1", busy(1), 1.0, 111.0)
    signals.forget(110.0 + QUIET_S)
    assert signals.active_at("rel_2") is None
    assert signals.active_at("rel_1") == 111.0


def test_reports_that_arrive_all_at_once_are_no_burst() -> None:
    signals = Signals()
    for _ in range(30):
        signals.note("router_1", busy(10), 1.0, 110.0)
    signals.note("router_2", busy(10), 1.0, 110.0)
    assert signals.average(["rel_1"], 6, 110.0) == 20 / 6
    assert signals.total("rel_1").requests == 31


def test_a_router_that_is_silent_is_lost_and_one_that_said_goodbye_is_not() -> None:
    signals = Signals()
    assert not signals.complete(100.0)  # nobody is heard yet
    signals.note("router_1", [], 1.0, 100.0)
    signals.note("router_2", [], 1.0, 100.0)
    assert signals.complete(100.0 + LOST_S)
    signals.note("router_1", [], 1.0, 106.0)
    assert not signals.complete(106.0)
    signals.note("router_2", [], 1.0, 107.0, last=True)
    assert signals.complete(107.0)


def test_a_router_that_died_is_waited_for_and_then_forgotten() -> None:
    signals = Signals()
    signals.note("router_1", [], 1.0, 100.0)
    for second in range(1, int(FORGOTTEN_S) + 2):
        signals.note("router_2", [], 1.0, 100.0 + second)
    assert signals.complete(101.0 + FORGOTTEN_S)


def test_totals_tell_what_a_switch_cost() -> None:
    signals = Signals()
    signals.note("router_1", busy(1), 1.0, 100.0)
    before = signals.total("rel_1")
    for _ in range(3):
        signals.note("router_2", [ReleaseActivity("rel_1", requests=2, failed=1, latency={5: 1})], 1.0, 101.0)
    assert signals.total("rel_1").since(before) == ReleaseActivity("rel_1", requests=6, failed=3, latency={5: 3})
