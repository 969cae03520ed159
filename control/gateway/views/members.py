"""Who belongs to a team, and as what."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import members as models
from proto.auth.v1 import members_pb2


async def index(call: Call) -> models.MemberList:
    """GET /v1/teams/{team}/members: all of them."""
    return models.members(await call.clients.members.ListMembers(members_pb2.ListMembersRequest(team_id=call.team)))


async def update(call: Call, body: models.ChangeMember) -> models.MemberShape:
    """PATCH /v1/teams/{team}/members/{account}: another role for a member.

    Nobody gives or takes away a role above their own, and a team always has an owner.
    """
    wanted = members_pb2.ChangeMemberRequest(team_id=call.team, account_id=call.named("account"), role=body.role)
    return models.member(await call.clients.members.ChangeMember(wanted))


async def delete(call: Call) -> None:
    """DELETE /v1/teams/{team}/members/{account}: ends a membership, with the roles on the team's projects."""
    gone = members_pb2.RemoveMemberRequest(team_id=call.team, account_id=call.named("account"))
    await call.clients.members.RemoveMember(gone)
