"""What a tenant's plan gives, as far as it is enforced here: the numbers come with each deployment.

A release's plan is cut down when the release is made, so whatever starts, scales or wakes its instances later keeps to
it. How many instances a tenant may have in all is asked whenever some are to start. How many builds: turns.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.errors import define
from orchestrator.build.plan import BuildPlan

_MORE: Final = "stop or delete something that is not needed, or ask whoever runs the platform for more"
LIMIT_INSTANCES = define(
    "LIMIT_INSTANCES", source="client", status=402, hint="choose a smaller number, or ask whoever runs the platform"
)
LIMIT_INSTANCES_TOTAL = define("LIMIT_INSTANCES_TOTAL", source="client", status=402, hint=_MORE)
SQL: Final = load_queries("orchestrator")
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """None is no limit.

    Attributes:
        builds: at a time.
        instances: of one process.
        instances_total: of the tenant at a time.
        memory_mb: MiB of one instance.
        cpu_millis: thousandths of a processor, of one instance.
    """

    builds: int | None = None
    instances: int | None = None
    instances_total: int | None = None
    memory_mb: int | None = None
    cpu_millis: int | None = None

    @staticmethod
    def read(wire: Mapping[str, Any]) -> PlanLimits:
        """What the event carried; what is no number, or is not known here, is passed over."""
        known = {name: wire.get(name) for name in PlanLimits.__slots__}
        return PlanLimits(**{name: value for name, value in known.items() if isinstance(value, int) and value >= 0})

    def cut(self, plan: BuildPlan) -> tuple[BuildPlan, list[str]]:
        """A release's plan within the limits, and what was cut, in words."""
        memory = _least(plan.limits.memory_bytes, None if self.memory_mb is None else self.memory_mb * _MIB)
        cpus = plan.limits.cpus
        if self.cpu_millis is not None:
            most = self.cpu_millis / 1000
            cpus = min(cpus, most) if cpus else most  # 0 is all there are
        scaling = replace(
            plan.scaling, min=_least(plan.scaling.min, self.instances), max=_least(plan.scaling.max, self.instances)
        )
        workers = tuple(replace(one, instances=_least(one.instances, self.instances)) for one in plan.workers)
        cut = replace(
            plan, limits=replace(plan.limits, memory_bytes=memory, cpus=cpus), scaling=scaling, workers=workers
        )
        return cut, _said(plan, cut)


class Room:
    """How many instances a tenant may still start."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_release(self, release_id: str, wanted: int) -> int:
        """How many of the wanted instances of a release may start now.

        Those of the release that this one replaces are not counted: they go when these are ready.

        Args:
            release_id: whose.
            wanted: how many are to start beside those that run.
        """
        row = await self._database.fetchrow(SQL["room_of"], release_id)
        if row is None or (most := PlanLimits.read(row["limits"]).instances_total) is None:
            return wanted
        return max(0, min(wanted, most - int(row["others"]) - int(row["own"])))


def check_scale(row: Row | None, most: int) -> None:
    """Refuses a scale above the plan's.

    Args:
        row: of the newest deployment of the environment, with its limits.

    Raises:
        ShipoffError: LIMIT_INSTANCES.
    """
    limit = None if row is None else PlanLimits.read(row["limits"]).instances
    if limit is not None and most > limit:
        raise LIMIT_INSTANCES(f"the team's plan gives one process {limit} instances, and {most} are wanted")


def _least(asked: int, limit: int | None) -> int:
    return asked if limit is None else min(asked, limit)


def _said(before: BuildPlan, after: BuildPlan) -> list[str]:
    found = []
    if before.limits.memory_bytes != after.limits.memory_bytes:
        found.append(f"memory of an instance: {after.limits.memory_bytes // _MIB} MiB")
    if before.limits.cpus not in (0.0, after.limits.cpus):  # who asked for none gets what there is, silently
        found.append(f"processors of an instance: {after.limits.cpus:g}")
    if before.scaling.max != after.scaling.max or before.workers != after.workers:
        found.append(f"instances of a process: {after.scaling.max}")
    return found
