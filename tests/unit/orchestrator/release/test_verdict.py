"""A canary is stopped for what is proved and for nothing else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.activity import Latency, ReleaseActivity
from orchestrator.release.verdict import Margins, Sample, judge, sample
from router.core.activity import bucket

LATENCIES = st.dictionaries(st.integers(30, 90), st.integers(1, 500), max_size=10)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    requests = draw(st.integers(0, 5000))
    return Sample(requests, draw(st.integers(0, requests)), draw(LATENCIES))


def latencies(draw: random.Random, count: int, median_s: float) -> Latency:
    found: Latency = {}
    for _ in range(count):
        index = bucket(draw.lognormvariate(0, 0.6) * median_s)
        found[index] = found.get(index, 0) + 1
    return found


def measured(draw: random.Random, count: int, rate: float, median_s: float = 0.02) -> Sample:
    errors = sum(draw.random() < rate for _ in range(count))
    return Sample(count, errors, latencies(draw, count - errors, median_s))


@pytest.mark.parametrize(
    ("base", "canary", "outcome"),
    [
        (Sample(1000, 0), Sample(19, 19), "unknown"),
        (Sample(19, 0), Sample(1000, 1000), "unknown"),
        (Sample(1000, 0), Sample(20, 20), "worse"),
        (Sample(1000, 0), Sample(50, 1), "fine"),
        (Sample(1000, 0), Sample(50, 20), "worse"),
        (Sample(10_000, 5), Sample(10_000, 300), "worse"),
        (Sample(10_000, 5), Sample(10_000, 60), "fine"),
        (Sample(10_000, 9_000), Sample(10_000, 9_000), "fine"),
        (Sample(10_000, 9_000), Sample(10_000, 10), "fine"),
    ],
)
def test_errors(base: Sample, canary: Sample, outcome: str) -> None:
    assert judge(base, canary).outcome == outcome


@given(samples())
def test_nothing_is_worse_than_itself(one: Sample) -> None:
    assert judge(one, one).outcome in ("fine", "unknown")


@given(samples(), samples(), st.integers(0, 1000))
def test_more_errors_never_make_it_better(base: Sample, canary: Sample, more: int) -> None:
    worse = Sample(canary.requests, min(canary.requests, canary.errors + more), canary.latency)
    if judge(base, canary).outcome == "worse":
        assert judge(base, worse).outcome == "worse"


@given(samples(), samples())
def test_slower_answers_never_make_it_better(base: Sample, canary: Sample) -> None:
    slower = Sample(canary.requests, canary.errors, {index + 8: n for index, n in canary.latency.items()})
    if judge(base, canary).outcome == "worse":
        assert judge(base, slower).outcome == "worse"


@given(samples(), samples())
def test_what_is_worse_is_said_in_words(base: Sample, canary: Sample) -> None:
    verdict = judge(base, canary)
    assert bool(verdict.reasons) == (verdict.outcome != "fine")


@pytest.mark.parametrize("count", [30, 300, 3000])
def test_chance_stops_hardly_any_good_canary(count: int) -> None:
    draw = random.Random(7)
    looks = 300
    alarms = sum(
        judge(measured(draw, 2000, 0.02), measured(draw, count, 0.02)).outcome == "worse" for _ in range(looks)
    )
    assert alarms <= 3


@pytest.mark.parametrize(("count", "rate", "median_s"), [(40, 0.5, 0.02), (300, 0.15, 0.02), (300, 0.02, 0.05)])
def test_a_bad_canary_is_found(count: int, rate: float, median_s: float) -> None:
    draw = random.Random(8)
    found = [judge(measured(draw, 2000, 0.02), measured(draw, count, rate, median_s)).outcome for _ in range(50)]
    assert found.count("worse") >= 48


def test_a_few_milliseconds_and_a_quarter_are_no_matter() -> None:
    draw = random.Random(9)
    base = measured(draw, 3000, 0, 0.002)
    assert judge(base, measured(draw, 3000, 0, 0.003)).outcome == "fine"
    assert judge(base, measured(draw, 3000, 0, 0.003), Margins(latency=0.1, latency_s=0)).outcome == "worse"


def test_both_kinds_of_5xx_are_errors() -> None:
    assert sample(ReleaseActivity("rel_1", requests=9, failed=2, upstream_5xx=3, latency={40: 7})) == Sample(
        9, 5, {40: 7}
    )
