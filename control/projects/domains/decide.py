"""What becomes of a claim after a look at its records. Pure.

    pending  -- proven ---------------------------------------------------------> verified
    pending  -- not proven for `pending_days` ----------------------------------> expired
    verified -- the DNS has said for `failing_days` that the proof is gone -----> failing
    failing  -- and for `grace_days` more --------------------------------------> expired
    failing  -- proven again ---------------------------------------------------> verified
    verified, failing -- gone, and another project has proven the name ---------> expired
    expired  -- proven, when somebody asks for a look --------------------------> verified

A DNS that is silent or broken moves nothing that is held: only its word that the record is gone or another counts, and
only the time between two such words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from control.projects.domains.claim import Claim, Problem, State

DAY_S: Final = 86_400.0
FIRST_S: Final = 30.0  # after the first look that did not verify a claim, doubling from there
SLOWEST_S: Final = 3600.0
REVERIFY_S: Final = DAY_S
# At most that much of the time since the look before counts as absence, however long nobody looked.
MOST_ABSENT_S: Final = DAY_S
JITTER: Final = 0.1  # so that what was added together is not looked at together for ever


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a claim is waited for, in days.

    Attributes:
        pending: until it is proven for the first time.
        failing: until one that was verified is called failing.
        grace: from then until it is taken off.
    """

    pending: float
    failing: float
    grace: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How a claim stands after the look."""

    state: State
    proof: str
    problem: Problem
    checks: int
    absent_s: float
    check_at: datetime


def after(
    claim: Claim,
    proof: str,
    problem: Problem,
    now: datetime,
    patience: Patience,
    *,
    contested: bool = False,
    dice: float,
) -> Standing:
    """How the claim stands now.

    Args:
        claim: as it stood.
        proof: "txt" or "cname" when it is proven and the name is free, else "".
        problem: why it is not; NONE when it is.
        contested: another project has just proven the name.
        dice: from 0 to 1, spreads the looks.
    """
    if proof:
        return Standing(State.VERIFIED, proof, Problem.NONE, 0, 0.0, _in(now, REVERIFY_S, dice))
    absent_s = _absent_s(claim, problem, now)
    state = _state(claim, problem, absent_s, now, patience, contested)
    pause_s = SLOWEST_S if claim.is_held else min(FIRST_S * 2 ** min(claim.checks, 10), SLOWEST_S)
    kept = claim.proof if state in (State.VERIFIED, State.FAILING) else ""
    return Standing(state, kept, problem, claim.checks + 1, absent_s, _in(now, pause_s, dice))


def _state(
    claim: Claim, problem: Problem, absent_s: float, now: datetime, patience: Patience, contested: bool
) -> State:
    if not claim.is_held:
        over = now - claim.claimed_at >= timedelta(days=patience.pending)
        return State.EXPIRED if over else State.PENDING
    if problem is Problem.UNREACHABLE:
        return claim.state
    if contested:
        return State.EXPIRED
    # Its owner is told that it fails before it is taken off, whatever the numbers are.
    if claim.state is State.FAILING and absent_s >= (patience.failing + patience.grace) * DAY_S:
        return State.EXPIRED
    return State.FAILING if claim.state is State.FAILING or absent_s >= patience.failing * DAY_S else State.VERIFIED


def _absent_s(claim: Claim, problem: Problem, now: datetime) -> float:
    """For how long the DNS has said that the proof is gone; the time before a silent answer is nobody's."""
    if problem is Problem.UNREACHABLE or not claim.is_held:
        return claim.absent_s
    if claim.checked_at is None or claim.problem in (Problem.NONE, Problem.UNREACHABLE):
        return claim.absent_s  # the first such word, or the first after a silence
    since_s = (now - claim.checked_at).total_seconds()
    return claim.absent_s + min(max(since_s, 0.0), MOST_ABSENT_S)


def _in(now: datetime, pause_s: float, dice: float) -> datetime:
    return now + timedelta(seconds=pause_s * (1 - JITTER + 2 * JITTER * dice))
