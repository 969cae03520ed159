"""Invitations to a team, and how they are accepted."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import invitations as models
from proto.auth.v1 import invitations_pb2


async def index(call: Call) -> models.InvitationList:
    """GET /v1/teams/{team}/invitations: those that are open, to the team and to its projects."""
    wanted = invitations_pb2.ListInvitationsRequest(team_id=call.team)
    answer = await call.clients.invitations.ListInvitations(wanted)
    return {"invitations": [models.invitation(one) for one in answer.invitations]}


async def create(call: Call, body: models.Invite) -> models.InvitedShape:
    """POST /v1/teams/{team}/invitations: invites somebody by their address; it is good once and for some days."""
    wanted = invitations_pb2.InviteRequest(
        team_id=call.team,
        email=body.email,
        role=body.role,
        project_id=body.project,
        project_role=body.project_role,
    )
    return models.invited(await call.clients.invitations.Invite(wanted))


async def resend(call: Call) -> models.InvitedShape:
    """POST /v1/teams/{team}/invitations/{invitation}/resend: a new link, for the full time; the old one is void."""
    return models.invited(await call.clients.invitations.ResendInvitation(_named(call)))


async def delete(call: Call) -> None:
    """DELETE /v1/teams/{team}/invitations/{invitation}: takes it back."""
    await call.clients.invitations.RevokeInvitation(_named(call))


async def accept(call: Call, body: models.AcceptInvitation) -> models.JoinedShape:
    """POST /v1/invitations/accept: takes an invitation that was sent to your address."""
    wanted = invitations_pb2.AcceptInvitationRequest(token=body.token)
    return models.accepted(await call.clients.invitations.AcceptInvitation(wanted))


def _named(call: Call) -> invitations_pb2.InvitationRequest:
    return invitations_pb2.InvitationRequest(team_id=call.team, invitation_id=call.named("invitation"))
