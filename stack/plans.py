"""Gives a team a plan: what whoever runs the platform may do, with the state directory's secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from kernel.errors import define
from stack.state import State

OVERRIDE_INVALID = define(
    "OVERRIDE_INVALID", source="client", status=422, hint="such as projects=50, or domains=-1 for no limit"
)


_OVERRIDE: Final = re.compile(r"([a-z_]+)=(-1|[0-9]{1,15})")


def overrides_of(texts: Iterable[str]) -> dict[str, int]:
    """Reads `name=number`s.

    Raises:
        ShipoffError: OVERRIDE_INVALID.
    """
    found = {}
    for text in texts:
        if (match := _OVERRIDE.fullmatch(text)) is None:
            raise OVERRIDE_INVALID(f"{text!r} is no limit and its number")
        found[match[1]] = int(match[2])
    return found


async def give(state: State, team_id: str, plan: str, overrides: dict[str, int]) -> dict[str, int]:
    """Replaces a team's plan and overrides; returns its limits, -1 for none.

    Raises:
        ShipoffError: PLAN_UNKNOWN, LIMIT_UNKNOWN, or the projects service does not answer.
    """
    from kernel.rpc import RpcClient
    from proto.projects.v1.limits_pb2 import SetPlanRequest
    from proto.projects.v1.limits_pb2_grpc import LimitsStub

    client = RpcClient(state.address("projects"), state.secrets()["service_token"])
    try:
        request = SetPlanRequest(team_id=team_id, plan=plan, overrides=overrides)
        answer = await client.stub(LimitsStub).SetPlan(request)
        return {one.name: one.limit for one in answer.limits}
    finally:
        await client.close()
