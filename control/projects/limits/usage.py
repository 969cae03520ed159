"""Counts what a team uses in a month, and says when 80 or 100 percent of a limit are reached: once each, in the
transaction that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from control.projects.hooks.notify import Notice, notify
from control.projects.limits.admission import Granted, granted, this_month
from control.projects.limits.plans import NO_LIMIT
from control.projects.limits.refusals import MONTHLY, WORDS
from kernel.database import load_queries
from kernel.database.pool import Row, Transaction
from kernel.deployments import Stage, State

SQL: Final = load_queries("control.projects.limits")
WARN: Final = 80
FULL: Final = 100
LONGEST_MS: Final = 24 * 3600 * 1000  # of one build; a clock that jumps must not use up a plan
_BUILDING: Final = (Stage.FETCH, Stage.DETECT, Stage.BUILD, Stage.ARTIFACT)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What routers answered for a project in a month so far.

    Attributes:
        sent: bytes of answers' bodies.
    """

    project_id: str
    requests: int
    sent: int


async def note_move(tx: Transaction, row: Row, at: datetime) -> None:
    """Looks at a deployment that has just come into its state, and counts a build that is over, however it ended.

    Args:
        row: the deployment's.
        at: when it did, by the orchestrator's clock.
    """
    if row["state"] == State.BUILDING:
        await tx.execute(SQL["begin_build"], row["id"], at)
        return
    since = await tx.fetchval(SQL["end_build"], row["id"])
    if since is None:
        return
    team_id = await tx.fetchval(SQL["team_of"], row["project_id"])
    await tx.execute(SQL["add_build"], team_id, this_month(at), spent_ms(row["timings_ms"], since, at))
    await mark(tx, team_id)


def spent_ms(timings_ms: dict[str, int], since: datetime, at: datetime) -> int:
    """How long a build took: by its stages, or by the clock where it was ended from outside and they were not told."""
    stages = sum(timings_ms.get(stage.value, 0) for stage in _BUILDING)
    clock = round((at - since).total_seconds() * 1000)
    return min(max(stages or clock, 0), LONGEST_MS)


async def note_traffic(tx: Transaction, month: date, traffic: Sequence[Traffic]) -> None:
    """Takes over the log service's sums of a month; projects that are gone keep what they had."""
    rows = await tx.fetch(
        SQL["set_traffic"],
        [one.project_id for one in traffic],
        month,
        [one.requests for one in traffic],
        [one.sent for one in traffic],
    )
    for team_id in sorted({row["team_id"] for row in rows}):
        await mark(tx, team_id)


async def mark(tx: Transaction, team_id: str) -> None:
    """Tells what has reached a mark this month and was not told before."""
    have = await granted(tx, team_id)
    if all(getattr(have.limits, name) == NO_LIMIT for name in MONTHLY):
        return
    used = await tx.fetchrow(SQL["used"], team_id, this_month())
    assert used is not None  # noqa: S101 - sums always give a row
    for name in MONTHLY:
        for percent in reached(getattr(have.limits, name), used[name]):
            await _mark(tx, team_id, have, name, percent, used[name])


def reached(limit: int, used: int) -> list[int]:
    """The marks that are reached."""
    if limit == NO_LIMIT:
        return []
    return [percent for percent in (WARN, FULL) if used * 100 >= limit * percent]


async def _mark(tx: Transaction, team_id: str, have: Granted, name: str, percent: int, used: int) -> None:
    limit = getattr(have.limits, name)
    detail = f"{used:,} of {limit:,} {WORDS[name]} are used"
    if await tx.fetchval(SQL["mark"], team_id, this_month(), name, percent, detail) is None:
        return
    said = {"name": name, "plan": have.plan, "limit": limit, "used": used, "percent": percent, "detail": detail}
    hint = MONTHLY[name].hint if percent == FULL else "at 100 percent no further builds are let in"
    event = "limit.reached" if percent == FULL else "limit.warned"
    await notify(tx, Notice(event, team_id=team_id, data={"limit": {**said, "hint": hint}}))
