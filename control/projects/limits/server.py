"""The gRPC face of limits (proto/projects/v1/limits.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import Any, Final

from control.projects.limits.admission import SQL, Granted, granted, this_month
from control.projects.limits.plans import plan
from kernel.audit import record
from kernel.authority import TEAM_NOT_FOUND, Permission, Resource, require, require_platform
from kernel.database import Database
from kernel.times import ms_of
from proto.projects.v1 import limits_pb2 as pb
from proto.projects.v1.limits_pb2_grpc import LimitsServicer

NOT_COUNTED: Final = -1


class LimitsServer(LimitsServicer):
    """Answers the calls of limits.proto."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def GetLimits(self, request: pb.GetLimitsRequest, context: Any) -> pb.TeamLimits:
        """With what is used."""
        hidden = TEAM_NOT_FOUND(f"there is no team {request.team_id[:80]!r}")
        require(Permission.TEAM_READ, Resource(request.team_id), hidden=hidden)
        return await self._shown(request.team_id)

    async def SetPlan(self, request: pb.SetPlanRequest, context: Any) -> pb.TeamLimits:
        """For the next thing that the team makes; what it has stays."""
        require_platform()
        overrides = dict(request.overrides)
        plan(request.plan).with_overrides(overrides)
        async with self._database.transaction() as tx:
            before = await granted(tx, request.team_id)
            await tx.execute(SQL["set_plan"], request.team_id, request.plan, overrides)
            await record(
                tx,
                "team.plan",
                team_id=request.team_id,
                target=request.team_id,
                before={"plan": before.plan, "overrides": before.overrides},
                after={"plan": request.plan, "overrides": overrides},
            )
        return await self._shown(request.team_id)

    async def _shown(self, team_id: str) -> pb.TeamLimits:
        have, used = await granted(self._database, team_id), await self._used(team_id)
        return pb.TeamLimits(
            team_id=team_id,
            plan=have.plan,
            overrides=have.overrides,
            limits=_limits(have, used),
            resets_at_ms=_next_month_ms(),
        )

    async def _used(self, team_id: str) -> dict[str, int]:
        row = await self._database.fetchrow(SQL["used"], team_id, this_month())
        assert row is not None  # noqa: S101 - sums always give a row
        counted = {
            name: await self._database.fetchval(SQL[name], team_id) for name in ("projects", "domains", "previews")
        }
        return {**counted, **dict(row)}


def _limits(have: Granted, used: dict[str, int]) -> list[pb.TeamLimit]:
    return [
        pb.TeamLimit(name=name, limit=limit, used=used.get(name, NOT_COUNTED))
        for name, limit in asdict(have.limits).items()
    ]


def _next_month_ms() -> int:
    first = this_month()
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return ms_of(datetime.combine(following, time(), UTC))
