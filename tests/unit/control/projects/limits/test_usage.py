from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from control.projects.limits.admission import this_month
from control.projects.limits.plans import NO_LIMIT
from control.projects.limits.usage import LONGEST_MS, reached, spent_ms

SINCE = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_a_build_takes_as_long_as_its_stages() -> None:
    timings = {
        "queue": 9_000,
        "fetch": 1_000,
        "build": 60_000,
        "build.install": 40_000,
        "artifact": 500,
        "start": 7_000,
    }
    assert spent_ms(timings, SINCE, SINCE + timedelta(hours=2)) == 61_500


def test_a_build_that_was_ended_from_outside_takes_what_the_clock_says() -> None:
    assert spent_ms({"queue": 5}, SINCE, SINCE + timedelta(seconds=90)) == 90_000


def test_clocks_that_jump_use_up_nothing() -> None:
    assert spent_ms({}, SINCE, SINCE - timedelta(hours=1)) == 0
    assert spent_ms({}, SINCE, SINCE + timedelta(days=400)) == LONGEST_MS


def test_marks_are_at_80_and_100_percent() -> None:
    assert reached(100, 79) == []
    assert reached(100, 80) == [80]
    assert reached(100, 250) == [80, 100]
    assert reached(0, 0) == [80, 100]
    assert reached(NO_LIMIT, 10**12) == []


def test_months_are_of_utc() -> None:
    assert this_month(datetime(2026, 12, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == date(2026, 11, 1)
