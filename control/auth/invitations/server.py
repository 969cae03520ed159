"""The gRPC face of invitations (proto/auth/v1/invitations.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.auth.invitations.rules import Offer
from control.auth.invitations.service import Invitation, Invitations
from control.auth.standing import parse, whole_account
from control.auth.teams.service import missing
from kernel.authority import Permission, Resource, require
from kernel.times import ms_of
from proto.auth.v1 import invitations_pb2 as pb
from proto.auth.v1.invitations_pb2_grpc import InvitationsServicer


class InvitationsServer(InvitationsServicer):
    """Answers the calls of invitations.proto."""

    def __init__(self, invitations: Invitations) -> None:
        self._invitations = invitations

    async def Invite(self, request: pb.InviteRequest, context: Any) -> pb.Invited:
        """Each role that is offered needs its permission."""
        role, project_role = (parse(given) if given else None for given in (request.role, request.project_role))
        offer = Offer(request.team_id, role, request.project_id, project_role)
        _require(offer)
        return _invited(*await self._invitations.invite(request.email, offer))

    async def ListInvitations(self, request: pb.ListInvitationsRequest, context: Any) -> pb.ListInvitationsResponse:
        """For those who may invite: it shows the addresses of people who are not members."""
        team, project = request.team_id, request.project_id
        permission = Permission.PROJECT_MEMBER_CREATE if project else Permission.TEAM_MEMBER_CREATE
        require(permission, Resource(team, project), hidden=missing(team))
        return pb.ListInvitationsResponse(
            invitations=[_message(one) for one in await self._invitations.open(team, project)]
        )

    async def ResendInvitation(self, request: pb.InvitationRequest, context: Any) -> pb.Invited:
        """By whoever might have made it."""
        await self._reach(request)
        return _invited(*await self._invitations.resend(request.team_id, request.invitation_id))

    async def RevokeInvitation(self, request: pb.InvitationRequest, context: Any) -> pb.RevokeInvitationResponse:
        """By whoever might have made it."""
        await self._reach(request)
        await self._invitations.revoke(request.team_id, request.invitation_id)
        return pb.RevokeInvitationResponse()

    async def AcceptInvitation(self, request: pb.AcceptInvitationRequest, context: Any) -> pb.AcceptInvitationResponse:
        """By the account itself."""
        got = await self._invitations.accept(request.token, whole_account())
        return pb.AcceptInvitationResponse(
            team_id=got.team_id,
            team_name=got.team_name,
            role=got.role or "",
            project_id=got.project_id,
            project_role=got.project_role or "",
        )

    async def _reach(self, request: pb.InvitationRequest) -> None:
        """Whether there is such an invitation is for members of its team, and guests of its project, alone."""
        found = await self._invitations.get(request.team_id, request.invitation_id, request.project_id)
        _require(found.offer)


def _require(offer: Offer) -> None:
    for permission, on, _ in offer.needs():
        require(permission, on, hidden=missing(offer.team_id))


def _invited(invitation: Invitation, link: str) -> pb.Invited:
    return pb.Invited(invitation=_message(invitation), accept_url=link)


def _message(one: Invitation) -> pb.Invitation:
    return pb.Invitation(
        id=one.id,
        team_id=one.offer.team_id,
        email=one.email,
        role=one.offer.role or "",
        project_id=one.offer.project_id,
        project_role=one.offer.project_role or "",
        invited_by=one.invited_by,
        created_at_ms=ms_of(one.created_at),
        expires_at_ms=ms_of(one.expires_at),
    )
