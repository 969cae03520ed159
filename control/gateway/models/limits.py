"""What a team may have by its plan, and what it uses."""

from __future__ import annotations

from typing import Final, TypedDict

from control.gateway.models.base import time_of
from proto.projects.v1 import limits_pb2

NONE: Final = -1  # no limit; not counted


class LimitShape(TypedDict):
    """One limit.

    Attributes:
        name: such as `projects` or `build_minutes` (docs/limits.md).
        limit: how much; null is as much as the platform bears.
        used: of it by the team; null for what is applied to each single thing and not added up.
    """

    name: str
    limit: int | None
    used: int | None


class TeamLimitsShape(TypedDict):
    """A team's limits.

    Attributes:
        plan: `hobby`, `pro` or `unlimited`.
        overrides: names of limits that differ from the plan's for this team.
        limits: all of them.
        resets_at: when what is counted by months begins anew, RFC 3339.
    """

    plan: str
    overrides: list[str]
    limits: list[LimitShape]
    resets_at: str


def limits(message: limits_pb2.TeamLimits) -> TeamLimitsShape:
    """A team's limits as the API shows them."""
    return {
        "plan": message.plan,
        "overrides": sorted(message.overrides),
        "limits": [
            {
                "name": one.name,
                "limit": None if one.limit == NONE else one.limit,
                "used": None if one.used == NONE else one.used,
            }
            for one in message.limits
        ],
        "resets_at": time_of(message.resets_at_ms),
    }
