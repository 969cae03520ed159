"""Invitations to one project, for guests who are no members of its team."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import invitations as models
from proto.auth.v1 import invitations_pb2


async def index(call: Call) -> models.InvitationList:
    """GET /v1/projects/{project}/invitations: those that are open."""
    wanted = invitations_pb2.ListInvitationsRequest(team_id=call.found.team_id, project_id=call.found.id)
    answer = await call.clients.invitations.ListInvitations(wanted)
    return {"invitations": [models.invitation(one) for one in answer.invitations]}


async def create(call: Call, body: models.InviteGuest) -> models.InvitedShape:
    """POST /v1/projects/{project}/invitations: invites somebody by their address; it is good once and for some days."""
    wanted = invitations_pb2.InviteRequest(
        team_id=call.found.team_id, email=body.email, project_id=call.found.id, project_role=body.role
    )
    return models.invited(await call.clients.invitations.Invite(wanted))


async def resend(call: Call) -> models.InvitedShape:
    """POST /v1/projects/{project}/invitations/{invitation}/resend: a new link; the old one is void."""
    return models.invited(await call.clients.invitations.ResendInvitation(_named(call)))


async def delete(call: Call) -> None:
    """DELETE /v1/projects/{project}/invitations/{invitation}: takes it back."""
    await call.clients.invitations.RevokeInvitation(_named(call))


def _named(call: Call) -> invitations_pb2.InvitationRequest:
    return invitations_pb2.InvitationRequest(
        team_id=call.found.team_id, project_id=call.found.id, invitation_id=call.named("invitation")
    )
