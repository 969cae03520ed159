"""When jobs are due, what is made up, and what clocks that change do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.build.running import Cron
from orchestrator.cron.due import Due, due
from orchestrator.cron.schedule import last_time, next_time


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def job(schedule: str, timezone: str = "UTC") -> Cron:
    return Cron("job", schedule, "true", timezone)


NOON = at("2026-03-10 12:00:00")  # a Tuesday


@pytest.mark.parametrize(
    ("schedule", "last", "following"),
    [
        ("* * * * *", "2026-03-10 12:00", "2026-03-10 12:01"),
        ("*/15 3 * * 1-5", "2026-03-10 03:45", "2026-03-11 03:00"),
        ("30 9-17/4 * * *", "2026-03-10 09:30", "2026-03-10 13:30"),
        ("0 0 1,15 * *", "2026-03-01 00:00", "2026-03-15 00:00"),
        ("0 12 * * 7", "2026-03-08 12:00", "2026-03-15 12:00"),
        ("0 6 13 * 5", "2026-03-06 06:00", "2026-03-13 06:00"),
        ("@hourly", "2026-03-10 12:00", "2026-03-10 13:00"),
        ("@daily", "2026-03-10 00:00", "2026-03-11 00:00"),
        ("@weekly", "2026-03-08 00:00", "2026-03-15 00:00"),
        ("@monthly", "2026-03-01 00:00", "2026-04-01 00:00"),
    ],
)
def test_times_of_schedules(schedule: str, last: str, following: str) -> None:
    assert last_time(job(schedule), NOON) == at(last)
    assert next_time(job(schedule), NOON) == at(following)


def test_a_time_zone_is_the_jobs_own() -> None:
    assert next_time(job("0 9 * * *", "Europe/Berlin"), NOON) == at("2026-03-11 08:00")
    assert next_time(job("0 9 * * *", "Europe/Berlin"), at("2026-07-01 00:00")) == at("2026-07-01 07:00")


def test_when_clocks_change_a_job_runs_once() -> None:
    night = job("30 2 * * *", "Europe/Berlin")
    spring = next_time(night, at("2026-03-28 12:00"))
    assert spring is not None
    assert at("2026-03-29 00:00") <= spring <= at("2026-03-29 01:30")
    assert next_time(night, spring) == at("2026-03-30 00:30")
    autumn = next_time(night, at("2026-10-24 12:00"))
    assert autumn == at("2026-10-25 00:30")
    assert next_time(night, at("2026-10-25 00:31")) == at("2026-10-26 01:30")


def test_a_day_that_never_comes_has_no_time() -> None:
    assert next_time(job("0 0 30 2 *"), NOON) is None
    assert last_time(job("0 0 30 2 *"), NOON) is None


def test_what_was_settled_is_not_due() -> None:
    hourly = job("@hourly")
    assert due(hourly, NOON, NOON - timedelta(hours=1)) == Due(NOON, missed=False)
    assert due(hourly, NOON, NOON) is None
    assert due(hourly, NOON + timedelta(minutes=59), NOON) is None


def test_only_the_last_time_is_made_up_and_only_within_an_hour() -> None:
    since = NOON - timedelta(days=3)
    daily = job("0 11 * * *")
    assert due(daily, at("2026-03-10 11:59"), since) == Due(at("2026-03-10 11:00"), missed=False)
    assert due(daily, at("2026-03-10 12:00:01"), since) == Due(at("2026-03-10 11:00"), missed=True)


moments = st.integers(1_700_000_000, 1_900_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
schedules = st.sampled_from(["* * * * *", "*/7 * * * *", "5 4 * * *", "0 0 1 * *", "0 3 * * 1-5", "@weekly"])


@given(schedules, moments)
def test_the_last_time_is_never_after_now_and_nothing_lies_between(schedule: str, now: datetime) -> None:
    last, following = last_time(job(schedule), now), next_time(job(schedule), now)
    assert last is not None
    assert following is not None
    assert last <= now < following
    assert next_time(job(schedule), last) == following
