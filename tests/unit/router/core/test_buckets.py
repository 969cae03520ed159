"""Token buckets: the rate over time, the burst at once, the bound of the table."""

from __future__ import annotations

import pytest

from router.core.buckets import Buckets


def test_a_burst_goes_through_at_once_and_then_the_rate_rules() -> None:
    buckets = Buckets()
    assert [buckets.take("a", 2, 3, 100.0) for _ in range(3)] == [0.0] * 3
    assert buckets.take("a", 2, 3, 100.0) == pytest.approx(0.5)
    assert buckets.take("a", 2, 3, 100.5) == 0.0
    assert buckets.take("a", 2, 3, 100.5) > 0


def test_a_refusal_takes_nothing() -> None:
    buckets = Buckets()
    buckets.take("a", 1, 1, 0.0)
    assert [buckets.take("a", 1, 1, 0.5) for _ in range(10)] == pytest.approx([0.5] * 10)
    assert buckets.take("a", 1, 1, 1.0) == 0.0


def test_an_idle_bucket_fills_up_to_its_burst_and_no_further() -> None:
    buckets = Buckets()
    buckets.take("a", 1, 2, 0.0)
    assert [buckets.take("a", 1, 2, 1000.0) == 0.0 for _ in range(3)] == [True, True, False]


def test_over_a_long_time_the_rate_is_exact() -> None:
    buckets = Buckets()
    passed = sum(buckets.take("a", 10, 5, tick / 100) == 0.0 for tick in range(10_000))
    assert passed == 5 + 999


def test_clients_do_not_share_a_bucket() -> None:
    buckets = Buckets()
    assert buckets.take(("r", "a"), 1, 1, 0.0) == 0.0
    assert buckets.take(("r", "b"), 1, 1, 0.0) == 0.0
    assert buckets.take(("s", "a"), 1, 1, 0.0) == 0.0
    assert buckets.take(("r", "a"), 1, 1, 0.0) > 0


def test_a_flood_of_clients_forgets_who_came_longest_ago() -> None:
    buckets = Buckets(most=3)
    for name in "abac":
        buckets.take(name, 0.001, 5, 0.0)
    for name in "de":
        buckets.take(name, 0.001, 5, 0.0)
    assert len(buckets) == 3
    assert [buckets.take("c", 0.001, 5, 0.0) == 0.0 for _ in range(5)].count(True) == 4  # it was still known
