"""What is done next so that a process runs as it should."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.convergence import Ready, Replace, Seen, Start, Step, Stop, Wait, next_step
from orchestrator.restarts import is_looping, pause_s

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def ready(*ages_s: float) -> list[Ready]:
    return [Ready(f"ins_{number}", at(-age)) for number, age in enumerate(ages_s)]


def test_when_all_is_as_it_should_be_nothing_is_done() -> None:
    assert next_step(Seen(2, ready(10, 5)), NOW) is None
    assert next_step(Seen(0), NOW) is None


def test_what_is_missing_is_started_together() -> None:
    assert next_step(Seen(3, ready(10)), NOW) == Start(2)


def test_of_too_many_the_youngest_go() -> None:
    assert next_step(Seen(1, ready(100, 5, 50)), NOW) == Stop(("ins_1", "ins_2"))
    assert next_step(Seen(0, ready(100, 5)), NOW) == Stop(("ins_1", "ins_0"))


def test_a_restart_replaces_one_after_the_other() -> None:
    seen = Seen(2, ready(100, 50), fresh_since=at(-10))
    assert next_step(seen, NOW) == Replace("ins_0")
    assert next_step(Seen(2, [ready(50)[0], Ready("ins_new", at(-1))], fresh_since=at(-10)), NOW) == Replace("ins_0")
    assert next_step(Seen(2, ready(5, 4), fresh_since=at(-10)), NOW) is None


def test_of_too_many_those_go_first_that_are_to_be_replaced() -> None:
    seen = Seen(1, [Ready("ins_old", at(-100)), Ready("ins_new", at(-1))], fresh_since=at(-10))
    assert next_step(seen, NOW) == Stop(("ins_old",))


@pytest.mark.parametrize(("crashes", "pause"), [(1, 0), (2, 1), (3, 2), (4, 4), (7, 32), (8, 60), (10**6, 60)])
def test_the_pause_before_a_restart_doubles_to_a_minute(crashes: int, pause: float) -> None:
    assert pause_s(crashes) == pause
    step = next_step(Seen(1, crashes=crashes, crashed_at=NOW), NOW)
    assert step == (Wait(pause) if pause else Start(1))
    assert next_step(Seen(1, crashes=crashes, crashed_at=at(-pause)), NOW) == Start(1)


def test_a_process_loops_from_the_third_crash_on() -> None:
    assert [is_looping(crashes) for crashes in range(5)] == [False, False, False, True, True]


def test_too_many_are_stopped_whatever_has_crashed() -> None:
    assert next_step(Seen(1, ready(9, 8), crashes=9, crashed_at=NOW), NOW) == Stop(("ins_1",))


def carried_out(step: Step, running: list[Ready], number: int, now: datetime) -> list[Ready]:
    match step:
        case Start(count):
            return running + [Ready(f"new_{number}_{i}", now) for i in range(count)]
        case Replace(instance_id):
            return [one for one in running if one.instance_id != instance_id] + [Ready(f"new_{number}", now)]
        case Stop(gone):
            return [one for one in running if one.instance_id not in gone]
        case Wait():
            return running


@given(st.integers(0, 8), st.lists(st.floats(0, 1000), max_size=8), st.floats(0, 1000))
def test_steps_lead_to_what_is_wanted_and_never_below_it(wanted: int, ages: list[float], asked: float) -> None:
    running, least = ready(*ages), min(wanted, len(ages))
    for number in range(40):
        step = next_step(Seen(wanted, running, fresh_since=at(-asked)), NOW)
        if step is None:
            break
        running = carried_out(step, running, number, NOW)
        assert len(running) >= least
    assert len(running) == wanted
    assert all(one.started_at >= at(-asked) for one in running)
