"""Lets in what a team has room for. Each check is made in the transaction that makes the thing, under the team's lock
where two at once could both find room.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from control.projects.limits.plans import NO_LIMIT, Limits, plan
from control.projects.limits.refusals import (
    LIMIT_DOMAINS,
    LIMIT_PREVIEWS,
    LIMIT_PROJECTS,
    MONTHLY,
    is_reached,
    refusal,
)
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction

SQL: Final = load_queries("control.projects.limits")


@dataclass(frozen=True, slots=True)
class Granted:
    """What a team has.

    Attributes:
        plan: its name.
        overrides: of single limits.
        limits: the plan's with the overrides.
    """

    plan: str
    overrides: dict[str, int]
    limits: Limits


async def granted(tx: Transaction | Database, team_id: str) -> Granted:
    """A team's plan and limits.

    Raises:
        ShipoffError: PLAN_UNKNOWN, LIMIT_UNKNOWN: the database has a plan or a limit of another version.
    """
    row = await tx.fetchrow(SQL["plan"], team_id)
    assert row is not None  # noqa: S101 - the migration inserts the default plan
    return Granted(row["plan"], row["overrides"], plan(row["plan"]).with_overrides(row["overrides"]))


async def admit_project(tx: Transaction, team_id: str) -> None:
    """Refuses a further project of a team that has as many as it may; others who make one wait until `tx` ends.

    Raises:
        ShipoffError: LIMIT_PROJECTS.
    """
    have = await granted(tx, team_id)
    if have.limits.projects == NO_LIMIT:
        return
    await tx.execute(SQL["lock_team"], team_id)
    used = await tx.fetchval(SQL["projects"], team_id)
    if is_reached(have.limits.projects, used):
        raise refusal(LIMIT_PROJECTS, "projects", have.plan, have.limits.projects, used)


async def admit_domain(tx: Transaction, project_id: str) -> None:
    """Refuses a further domain, as above; the project is locked by the caller.

    Raises:
        ShipoffError: LIMIT_DOMAINS.
    """
    team_id = str(await tx.fetchval(SQL["team_of"], project_id))
    have = await granted(tx, team_id)
    if have.limits.domains == NO_LIMIT:
        return
    await tx.execute(SQL["lock_team"], team_id)
    used = await tx.fetchval(SQL["domains"], team_id)
    if is_reached(have.limits.domains, used):
        raise refusal(LIMIT_DOMAINS, "domains", have.plan, have.limits.domains, used)


async def admit_preview(tx: Transaction, project_id: str, others: int) -> None:
    """Refuses a further preview of a project; the project is locked by the caller.

    Args:
        others: previews that it has beside this one.

    Raises:
        ShipoffError: LIMIT_PREVIEWS.
    """
    have = await granted(tx, str(await tx.fetchval(SQL["team_of"], project_id)))
    if is_reached(have.limits.previews, others):
        raise refusal(LIMIT_PREVIEWS, "previews", have.plan, have.limits.previews, others)


async def admit_deployment(tx: Transaction, team_id: str, *, builds: bool) -> dict[str, int]:
    """Refuses a build of a team that has used up what it has in a month; what builds nothing is always let in.

    Returns:
        What the orchestrator is to enforce for it.

    Raises:
        ShipoffError: LIMIT_BUILD_MINUTES, LIMIT_REQUESTS, LIMIT_BANDWIDTH.
    """
    have = await granted(tx, team_id)
    if builds and any(getattr(have.limits, name) != NO_LIMIT for name in MONTHLY):
        used = await tx.fetchrow(SQL["used"], team_id, this_month())
        assert used is not None  # noqa: S101 - sums always give a row
        for name, kind in MONTHLY.items():
            limit = getattr(have.limits, name)
            if is_reached(limit, used[name]):
                raise refusal(kind, name, have.plan, limit, used[name])
    return have.limits.for_orchestrator()


def this_month(now: datetime | None = None) -> date:
    """The first day of the month, UTC."""
    return (now or datetime.now(UTC)).astimezone(UTC).date().replace(day=1)
