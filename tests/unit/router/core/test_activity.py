"""What a release did is counted exactly, whenever reports are taken."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from kernel.activity import ReleaseActivity
from router.core.activity import Activities, Activity
from router.core.head import read_request
from router.core.request import APP, Request

SPAN = st.tuples(st.floats(0, 100), st.floats(0, 100)).map(sorted)


def request(started: float = 0.0, **values: object) -> Request:
    head = read_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head is not None
    made = Request(head, b"id", started)
    made.attempts = 1
    for name, value in values.items():
        setattr(made, name, value)
    return made


@given(st.lists(SPAN, max_size=20), st.lists(st.floats(0, 100), max_size=10))
def test_busyness_is_the_sum_of_all_durations_wherever_it_is_cut(spans: list[list[float]], cuts: list[float]) -> None:
    activity = Activity("rel_1", 0.0)
    steps = [(start, 0, at) for at, (start, _) in enumerate(spans)]
    steps += [(stop, 1, at) for at, (_, stop) in enumerate(spans)]
    steps += [(cut, 2, 0) for cut in cuts]
    reports = []
    for moment, kind, at in sorted(steps):
        if kind == 0:
            activity.begin(moment)
        elif kind == 1:
            activity.end(request(spans[at][0]), moment)
        else:
            reports.append(activity.take(moment, 0))
    reports.append(activity.take(101.0, 0))
    seen = [report for report in reports if report is not None]
    assert sum(report.requests for report in seen) == len(spans)
    assert math.isclose(sum(report.busy_s for report in seen), sum(stop - start for start, stop in spans), abs_tol=1e-4)
    assert activity.in_flight == 0


def test_what_a_request_was_is_counted_once() -> None:
    activity = Activity("rel_1", 0.0)
    for made in (
        request(status=200, kind=APP, first=0.01),
        request(status=503, kind=APP, first=2.02, queued=2.0),
        request(status=502, error="UPSTREAM_REFUSED", attempts=3),
        request(status=503, error="HOLD_TIMEOUT", attempts=0),
    ):
        if made.attempts:
            activity.begin(0.0)
        made.activity = activity
        activity.end(made, 3.0)
        assert made.activity is None
    taken = activity.take(3.0, 5)
    assert taken is not None
    assert (taken.requests, taken.retried, taken.failed, taken.upstream_5xx, taken.waiting) == (4, 1, 2, 1, 5)
    assert taken.busy_s == 9.0
    assert sum(taken.latency.values()) == 2
    assert activity.take(4.0, 0) is None


def test_a_quiet_release_is_forgotten_and_a_busy_one_is_not() -> None:
    activities = Activities()
    activities.of("rel_1", 1.0).begin(1.0)
    assert list(activities.take(3.0, {"rel_2": 4})) == [
        ReleaseActivity("rel_1", in_flight=1, busy_s=2.0),
        ReleaseActivity("rel_2", waiting=4),
    ]
    assert list(activities.take(4.0, {})) == [ReleaseActivity("rel_1", in_flight=1, busy_s=1.0)]
    activities.of("rel_1", 4.0).leave(4.5)
    assert [taken.busy_s for taken in activities.take(5.0, {})] == []
    assert activities.of("rel_1", 6.0).in_flight == 0
