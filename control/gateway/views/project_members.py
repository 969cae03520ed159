"""Roles on one project: they add to those on its team, and let guests in."""

from __future__ import annotations

from typing import Any

from control.gateway.call import Call
from control.gateway.models import members as models
from proto.auth.v1 import members_pb2


async def index(call: Call) -> models.MemberList:
    """GET /v1/projects/{project}/members: who has a role on the project itself, beside the team's members."""
    wanted = members_pb2.ListProjectMembersRequest(**_where(call))
    return models.members(await call.clients.project_members.ListProjectMembers(wanted))


async def create(call: Call, body: models.AddMember) -> models.MemberShape:
    """POST /v1/projects/{project}/members: a role for an account that has none here."""
    wanted = members_pb2.ChangeProjectMemberRequest(**_where(call), account_id=body.account, role=body.role)
    return models.member(await call.clients.project_members.AddProjectMember(wanted))


async def update(call: Call, body: models.ChangeMember) -> models.MemberShape:
    """PATCH /v1/projects/{project}/members/{account}: another role."""
    account = call.named("account")
    wanted = members_pb2.ChangeProjectMemberRequest(**_where(call), account_id=account, role=body.role)
    return models.member(await call.clients.project_members.ChangeProjectMember(wanted))


async def delete(call: Call) -> None:
    """DELETE /v1/projects/{project}/members/{account}: takes the role away."""
    await _remove(call, call.named("account"))


async def leave(call: Call) -> None:
    """POST /v1/projects/{project}/leave: gives up your own role on the project."""
    await _remove(call, call.who.account_id)


async def _remove(call: Call, account_id: str) -> None:
    gone = members_pb2.RemoveProjectMemberRequest(**_where(call), account_id=account_id)
    await call.clients.project_members.RemoveProjectMember(gone)


def _where(call: Call) -> dict[str, Any]:
    return {"team_id": call.found.team_id, "project_id": call.found.id}
