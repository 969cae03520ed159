"""The plans, in one place: what a team may have of each thing. Pure.

A team has one plan, and may have overrides of single limits, which whoever runs the platform sets. What a team has
above a limit that was lowered stays; it only gets no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from kernel.errors import define

PLAN_UNKNOWN = define("PLAN_UNKNOWN", source="client", status=422, hint="hobby, pro or unlimited")
LIMIT_UNKNOWN = define("LIMIT_UNKNOWN", source="client", status=422, hint="see the names: shipoff limits")

NO_LIMIT: Final = -1


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a team may have; NO_LIMIT (-1) is as much as the platform bears.

    Attributes:
        projects: of the team.
        previews: of a project at a time.
        domains: custom domains of all projects of the team.
        builds: at a time.
        build_minutes: a calendar month (UTC).
        instances: of one process.
        instances_total: of all projects of the team that run at a time.
        memory_mb: MiB of one instance.
        cpu_millis: thousandths of a processor, of one instance.
        requests: that routers answer in a calendar month.
        bandwidth_mb: MiB of answers' bodies in a calendar month.
    """

    projects: int = NO_LIMIT
    previews: int = NO_LIMIT
    domains: int = NO_LIMIT
    builds: int = NO_LIMIT
    build_minutes: int = NO_LIMIT
    instances: int = NO_LIMIT
    instances_total: int = NO_LIMIT
    memory_mb: int = NO_LIMIT
    cpu_millis: int = NO_LIMIT
    requests: int = NO_LIMIT
    bandwidth_mb: int = NO_LIMIT

    def with_overrides(self, overrides: Mapping[str, int]) -> Limits:
        """These, but for what is overridden.

        Raises:
            ShipoffError: LIMIT_UNKNOWN.
        """
        known = {field.name for field in fields(self)}
        for name, value in overrides.items():
            if name not in known or not NO_LIMIT <= value < 1 << 53:
                raise LIMIT_UNKNOWN(f"{name[:60]!r} is no limit, or {value} is no number for it (-1 is none)")
        return replace(self, **overrides)

    def for_orchestrator(self) -> dict[str, int]:
        """What the orchestrator enforces, as `deployment.requested` carries it; what has no limit is left out."""
        names = ("builds", "instances", "instances_total", "memory_mb", "cpu_millis")
        return {name: value for name, value in asdict(self).items() if name in names and value != NO_LIMIT}


PLANS: Final[Mapping[str, Limits]] = {
    # To try things: enough for some small sites and one or two apps.
    "hobby": Limits(
        projects=20,
        previews=5,
        domains=10,
        builds=1,
        build_minutes=600,
        instances=2,
        instances_total=10,
        memory_mb=512,
        cpu_millis=1000,
        requests=10_000_000,
        bandwidth_mb=100 * 1024,
    ),
    # For a team that earns money with it.
    "pro": Limits(
        projects=200,
        previews=50,
        domains=200,
        builds=4,
        build_minutes=6000,
        instances=20,
        instances_total=100,
        memory_mb=4096,
        cpu_millis=4000,
        requests=200_000_000,
        bandwidth_mb=1024 * 1024,
    ),
    # One's own machine: the orchestrator's settings alone say what it bears.
    "unlimited": Limits(),
}
DEFAULT: Final = "unlimited"


def plan(name: str) -> Limits:
    """A plan's limits.

    Raises:
        ShipoffError: PLAN_UNKNOWN.
    """
    if name not in PLANS:
        raise PLAN_UNKNOWN(f"there is no plan {name[:60]!r}")
    return PLANS[name]
