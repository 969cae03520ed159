"""How many instances of each process an environment is to have; the keeper makes it so.

The live release says it (`plan.scaling`, `Process.instances`). A row of `scales` stands above that: bounds set by hand,
and the number that the autoscaler or a wake wants within them. The number belongs to the environment, so a deployment
starts with as many as the release before it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kernel.database import load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import WEB

SQL: Final = load_queries("orchestrator")
SCALE_INVALID = define(
    "SCALE_INVALID", source="client", status=422, hint="a number such as 3, bounds such as 1..5, or auto"
)


@dataclass(frozen=True, slots=True)
class Scale:
    """Of one process of an environment.

    Attributes:
        least: bounds of `desired`; a web process whose `least` is 0 may sleep.
        most: 0 is switched off: no request wakes it.
        desired: how many are to run now.
    """

    least: int
    most: int
    desired: int

    @property
    def may_wake(self) -> bool:
        """Whether a request for it is worth waiting for."""
        return self.most > 0


def scales_of(rows: Iterable[Row | Mapping[str, Any]], plan: BuildPlan) -> dict[str, Scale]:
    """The scale of every process of a plan, the web process first.

    Args:
        rows: of the table `scales`, of the environment.
        plan: of the release that is or gets live.
    """
    known = {row["process"]: row for row in rows}
    return {process.name: _scale(known.get(process.name), *_own(plan, process.name)) for process in plan.processes}


def _own(plan: BuildPlan, process: str) -> tuple[int, int]:
    if process == WEB:
        return plan.scaling.min, plan.scaling.max
    return next((one.instances, one.instances) for one in plan.workers if one.name == process)


def _scale(row: Row | Mapping[str, Any] | None, least: int, most: int) -> Scale:
    if row is None:
        return Scale(least, most, max(least, min(1, most)))
    if row["most"] is not None:
        least, most = row["least"], row["most"]
    return Scale(least, most, max(least, min(row["desired"], most)))


async def set_desired(
    tx: Transaction, project_id: str, environment: str, count: int, by: str, process: str = WEB
) -> None:
    """Says how many instances are wanted now; what lies outside the bounds is read as the bound.

    Args:
        tx: the caller's.
        project_id: whose.
        environment: of the project.
        count: instances, 0 lets the process sleep.
        by: "autoscaler", "wake", or an account's id.
        process: its name in the plan.
    """
    await tx.execute(SQL["set_desired"], project_id, environment, process, count, by)


async def rouse(tx: Transaction, project_id: str, environment: str) -> None:
    """Lets an environment that sleeps have an instance, as a deployment has just started one."""
    await tx.execute(SQL["rouse"], project_id, environment, WEB)


async def set_bounds(
    tx: Transaction, project_id: str, environment: str, process: str, bounds: tuple[int, int] | None, by: str
) -> None:
    """Sets a process's bounds by hand; None gives it back to what the live release says.

    Raises:
        ShipoffError: SCALE_INVALID.
    """
    if bounds is None:
        await tx.execute(SQL["forget_scale"], project_id, environment, process)
        return
    least, most = bounds
    if not 0 <= least <= most:
        raise SCALE_INVALID(f"{least}..{most} is no range of instances")
    await tx.execute(SQL["set_bounds"], project_id, environment, process, least, most, by)
