"""Reports survive the wire, add up, and their histograms give quantiles."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.activity import BUCKETS, ReleaseActivity, lower_bound, quantile, read
from router.core.activity import bucket

COUNTS = st.integers(0, 1_000_000)
ACTIVITIES = st.builds(
    ReleaseActivity,
    release=st.just("rel_1"),
    requests=COUNTS,
    in_flight=COUNTS,
    busy_s=st.floats(0, 1e6),
    waiting=COUNTS,
    held=COUNTS,
    retried=COUNTS,
    failed=COUNTS,
    upstream_5xx=COUNTS,
    latency=st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 1000), max_size=8),
)


@given(ACTIVITIES)
def test_the_wire_changes_nothing(activity: ReleaseActivity) -> None:
    assert read(orjson.loads(orjson.dumps(activity.wire()))) == activity


def test_a_newer_router_is_understood_and_nonsense_is_not() -> None:
    assert read({"release": "rel_1", "requests": 2, "latency": [], "mood": 3}) == ReleaseActivity("rel_1", 2)
    with pytest.raises(KeyError):
        read({"requests": 2})


@given(ACTIVITIES, ACTIVITIES)
def test_sums_count_everything(one: ReleaseActivity, other: ReleaseActivity) -> None:
    both = one.add(other)
    assert both.requests == one.requests + other.requests
    assert sum(both.latency.values()) == sum(one.latency.values()) + sum(other.latency.values())
    rest = both.since(one)
    assert (rest.requests, rest.failed, rest.latency) == (other.requests, other.failed, other.latency)


@given(st.integers(0, 2**40))
def test_a_duration_lies_within_its_bucket(micros: int) -> None:
    index = bucket((micros + 0.5) / 1e6)
    assert lower_bound(index) <= micros
    assert index == BUCKETS - 1 or micros < lower_bound(index + 1)


def test_a_negative_duration_is_none() -> None:
    assert bucket(-0.5) == 0


@given(st.lists(st.integers(4, 10**8), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_quantile_is_a_quarter_off_at_most(micros: list[int], share: float) -> None:
    latency: dict[int, int] = {}
    for one in micros:
        index = bucket((one + 0.5) / 1e6)
        latency[index] = latency.get(index, 0) + 1
    ranked = sorted(micros)
    exact = ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]
    assert exact / 1.26 <= quantile(latency, share) * 1e6 <= exact * 1.26 + 1


def test_of_nothing_the_quantile_is_zero() -> None:
    assert quantile({}, 0.95) == 0.0
