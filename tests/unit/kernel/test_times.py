from datetime import UTC, datetime, timedelta, timezone

from kernel.times import ms_of


def test_a_time_is_cut_to_milliseconds_wherever_its_clock_stands() -> None:
    at = datetime(1970, 1, 1, 0, 0, 1, 234_900, UTC)
    assert ms_of(at) == ms_of(at.astimezone(timezone(timedelta(hours=5)))) == 1234


def test_what_has_not_happened_is_zero() -> None:
    assert ms_of(None) == 0
