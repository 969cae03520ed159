"""Percentiles from buckets are those of the values themselves, to 0.8 %."""

from __future__ import annotations

import random

import pytest

from bench.load.histogram import Histogram


def filled(values: list[int]) -> Histogram:
    made = Histogram()
    for value in values:
        made.add(value)
    return made


@pytest.mark.parametrize("percent", [1, 10, 50, 90, 99, 99.9, 100])
def test_percentiles_are_those_of_the_values(percent: float) -> None:
    chance = random.Random(percent)
    values = sorted(int(chance.lognormvariate(7, 2)) for _ in range(10_000))
    exact = values[max(0, -(-int(len(values) * percent * 10) // 1000) - 1)]
    assert filled(values).percentile(percent) == pytest.approx(exact, rel=0.008, abs=1)


def test_small_and_largest_values_are_exact() -> None:
    made = filled([3, 127, 123_456_789])
    assert (made.percentile(1), made.percentile(66), made.percentile(100)) == (3, 127, 123_456_789)


def test_merging_is_adding() -> None:
    chance = random.Random(1)
    values = [chance.randrange(10**7) for _ in range(2_000)]
    one, other = filled(values[:700]), filled(values[700:])
    one.merge(other)
    whole = filled(values)
    assert (one.counts, one.count, one.largest) == (whole.counts, whole.count, whole.largest)


def test_memory_is_bounded_whatever_comes() -> None:
    made = filled([1 << bit for bit in range(60)] + [-5, 10**18])
    assert max(made.counts) < 4_000
    assert made.percentile(0) == 0


def test_an_empty_one_has_no_percentiles() -> None:
    assert Histogram().percentile(99) == 0


def test_counts_what_lies_above() -> None:
    assert filled([100, 5_000, 50_000, 60_000]).above(10_000) == 2
