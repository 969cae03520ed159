"""The sum over workers never goes backwards."""

from __future__ import annotations

from router.metrics import Metrics, Numbers
from router.tally import Tally


def counted(accepted: int, connections: int = 0) -> Numbers:
    metrics = Metrics()
    metrics.accepted = accepted
    return metrics.numbers({"connections": connections})


def accepted(tally: Tally) -> int:
    found: int = tally.total()["counters"]["accepted"]
    return found


def test_what_a_dead_worker_counted_stays_and_its_gauges_go() -> None:
    tally = Tally()
    tally.note(1, counted(5, 2))
    tally.note(2, counted(7, 3))
    tally.bury(1)
    tally.note(3, counted(1, 1))
    assert accepted(tally) == 13
    assert tally.total()["gauges"] == {"connections": 4}


def test_a_worker_that_does_not_answer_keeps_what_it_said_last() -> None:
    tally = Tally()
    tally.note(1, counted(5))
    tally.note(1, counted(9))
    assert accepted(tally) == 9


def test_an_answer_that_comes_after_the_death_still_counts() -> None:
    tally = Tally()
    tally.note(1, counted(5, 2))
    tally.bury(1)
    tally.note(1, counted(6, 2))
    tally.bury(2)
    tally.note(2, counted(3, 2))
    assert accepted(tally) == 9
    assert tally.total()["gauges"] == {}


def test_many_deaths_take_no_memory_and_lose_nothing() -> None:
    tally = Tally()
    for worker in range(1, 200):
        tally.note(worker, counted(1))
        tally.bury(worker)
    tally.note(1, counted(1))
    assert accepted(tally) == 199
    assert len(tally._seen) <= 33
