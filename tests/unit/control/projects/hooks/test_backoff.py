from __future__ import annotations

from control.projects.hooks.backoff import ATTEMPTS, delay_s

DAY_S = 24 * 3600.0


def test_eight_attempts_fit_into_a_day_and_use_most_of_it() -> None:
    for _ in range(200):
        delays = [delay for attempt in range(1, ATTEMPTS) if (delay := delay_s(attempt)) is not None]
        assert len(delays) == 7
        assert 19 * 3600 < sum(delays) < DAY_S
        assert delays == sorted(delays)


def test_after_the_last_attempt_there_is_no_other() -> None:
    assert delay_s(ATTEMPTS) is None
    assert delay_s(ATTEMPTS + 1) is None


def test_what_failed_together_is_not_tried_together() -> None:
    assert len({delay_s(3) for _ in range(50)}) > 40
