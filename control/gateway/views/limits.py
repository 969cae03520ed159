"""What a team may have by its plan, and what it uses."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import limits as models
from proto.projects.v1.limits_pb2 import GetLimitsRequest


async def show(call: Call) -> models.TeamLimitsShape:
    """GET /v1/teams/{team}/limits: what the team's plan gives, and what of it is used."""
    return models.limits(await call.clients.limits.GetLimits(GetLimitsRequest(team_id=call.team)))
