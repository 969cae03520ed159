"""What becomes of a claim after a look: nothing is lost to a silent DNS, and nothing without a warning."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from control.projects.domains.claim import HELD_STATES, Claim, Problem, State
from control.projects.domains.decide import Patience, Standing, after

START = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = Patience(7, 3, 14)
HOUR = timedelta(hours=1)
ABSENT = (Problem.MISSING, Problem.WRONG)


def claim(state: State = State.PENDING) -> Claim:
    return Claim(
        "dom_1", "prj_1", "www.shop.test", "production", "", 308, "t", state, "", Problem.NONE, [], 0, 0.0, START,
        START, START, None, START, "shop", "tem_1",
    )  # fmt: skip


def look(one: Claim, problem: Problem, now: datetime, *, contested: bool = False) -> Claim:
    proof = "txt" if problem is Problem.NONE else ""
    standing = after(one, proof, problem, now, PATIENCE, contested=contested, dice=0.5)
    return _stands(one, standing, now)


def _stands(one: Claim, now: Standing, at: datetime) -> Claim:
    return replace(
        one, state=now.state, proof=now.proof, problem=now.problem, checks=now.checks, absent_s=now.absent_s,
        check_at=now.check_at, checked_at=at,
    )  # fmt: skip


def test_a_contested_name_goes_only_when_the_dns_says_that_the_proof_is_gone() -> None:
    held = claim(State.VERIFIED)
    assert look(held, Problem.UNREACHABLE, START + HOUR, contested=True).state is State.VERIFIED
    assert look(held, Problem.NONE, START + HOUR, contested=True).state is State.VERIFIED
    assert look(held, Problem.MISSING, START + HOUR, contested=True).state is State.EXPIRED
    assert look(claim(State.FAILING), Problem.UNREACHABLE, START + HOUR, contested=True).state is State.FAILING


def test_a_pause_of_the_platform_is_not_held_against_a_domain() -> None:
    one = look(claim(State.VERIFIED), Problem.MISSING, START)
    one = look(one, Problem.MISSING, START + timedelta(days=60))  # nobody looked for two months
    assert one.state is State.VERIFIED
    assert one.absent_s == 86_400


def test_a_clock_that_is_set_back_takes_nothing_from_anybody() -> None:
    one = look(claim(State.VERIFIED), Problem.MISSING, START)
    assert look(one, Problem.MISSING, START - timedelta(days=9)).absent_s == 0


PROBLEMS = st.sampled_from(Problem)
LOOKS = st.lists(
    st.tuples(PROBLEMS, st.floats(0, 72, allow_nan=False).map(lambda hours: timedelta(hours=hours)), st.booleans()),
    max_size=60,
)


@given(st.sampled_from(State), LOOKS)
def test_whatever_is_seen_the_rules_hold(state: State, looks: list[tuple[Problem, timedelta, bool]]) -> None:
    one, now = claim(state), START
    said_s, before_that = 0.0, Problem.NONE
    for problem, pause, contested in looks:
        now += pause
        then, one = one, look(one, problem, now, contested=contested)
        assert now < one.check_at <= now + timedelta(days=1.2)
        assert (one.proof != "") == (one.state in HELD_STATES and bool(then.proof or problem is Problem.NONE))
        if problem is Problem.NONE:
            assert (one.state, one.absent_s) == (State.VERIFIED, 0)
            said_s = 0.0
            before_that = problem
            continue
        assert one.state is not State.VERIFIED or then.state is State.VERIFIED
        if then.state in HELD_STATES:
            silent = problem is Problem.UNREACHABLE
            if not silent and before_that not in (Problem.NONE, Problem.UNREACHABLE):
                said_s += min(pause.total_seconds(), 86_400)
            if silent:
                assert one.state is then.state
            if one.state is State.EXPIRED and not contested:
                assert then.state is State.FAILING
                assert state is State.FAILING or said_s >= 17 * 86_400
            if one.state is State.FAILING and then.state is State.VERIFIED:
                assert said_s >= 3 * 86_400
        else:
            assert one.state in (State.PENDING, State.EXPIRED)
            said_s = 0.0
        before_that = problem


def test_looks_at_a_pending_claim_are_spread_and_slow_down() -> None:
    one, pauses = claim(), []
    for _ in range(12):
        one = look(one, Problem.MISSING, START)
        pauses.append((one.check_at - START).total_seconds())
    assert pauses[:4] == [30, 60, 120, 240]
    assert pauses[-1] == 3600
    spread = [after(one, "", Problem.MISSING, START, PATIENCE, dice=dice).check_at for dice in (0.0, 1.0)]
    assert spread == [START + 0.9 * HOUR, START + 1.1 * HOUR]
