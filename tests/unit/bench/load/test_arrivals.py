"""The schedule of arrivals: its rate, its parts, its randomness."""

from __future__ import annotations

import itertools
import statistics

import pytest

from bench.load.arrivals import Stage, times


def offsets(*stages: Stage, random_gaps: bool = False, of: int = 1, seed: int = 1) -> list[float]:
    parts = (times(stages, random_gaps=random_gaps, part=part, of=of, seed=seed) for part in range(of))
    return sorted(offset for part in parts for offset in part)


def test_even_arrivals_are_evenly_spaced() -> None:
    assert offsets(Stage(1, 4, 4)) == pytest.approx([0.125, 0.375, 0.625, 0.875])


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_the_parts_make_the_same_whole(of: int) -> None:
    stages = (Stage(2, 10, 50), Stage(3, 50, 50), Stage(1, 50, 5))
    assert offsets(*stages, of=of) == pytest.approx(offsets(*stages))


def test_a_ramp_gets_denser() -> None:
    found = offsets(Stage(10, 1, 99))
    assert len(found) == 500
    assert sum(offset < 5 for offset in found) == pytest.approx(500 * (1 + 50) / 2 / 100, abs=2)


def test_a_ramp_may_come_down() -> None:
    found = offsets(Stage(10, 99, 1))
    assert len(found) == 500
    assert max(found) < 10


@pytest.mark.parametrize("of", [1, 4])
def test_random_arrivals_are_a_poisson_process(of: int) -> None:
    found = offsets(Stage(100, 100, 100), random_gaps=True, of=of)
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert len(found) == pytest.approx(10_000, rel=0.04)
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.05)


def test_a_seed_gives_the_same_schedule_again() -> None:
    one, same, other = (offsets(Stage(5, 50, 50), random_gaps=True, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other
