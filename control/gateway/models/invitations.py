"""Invitations to teams and to projects."""

from __future__ import annotations

from typing import Literal, TypedDict

from control.gateway.models.base import Body, Short, time_of
from control.gateway.models.members import RoleName
from proto.auth.v1 import invitations_pb2


class Invite(Body):
    """An invitation to a team.

    Attributes:
        email: to whom it is sent; whether the address has an account makes no difference.
        role: on the team; at most your own. Empty for a guest of one project.
        project: prj_… of the team, for a role there beside it or instead of it.
        project_role: on that project.
    """

    email: Short
    role: RoleName | Literal[""] = ""
    project: Short = ""
    project_role: RoleName | Literal[""] = ""


class InviteGuest(Body):
    """An invitation to one project.

    Attributes:
        email: to whom it is sent; whether the address has an account makes no difference.
        role: on the project; at most your own.
    """

    email: Short
    role: RoleName


class AcceptInvitation(Body):
    """What the link of an invitation holds.

    Attributes:
        token: of the link.
    """

    token: Short


class InvitationShape(TypedDict):
    """An open invitation.

    Attributes:
        id: inv_….
        team_id: tem_….
        email: to whom it was sent.
        role: on the team; null for a guest of one project.
        project_id: prj_…; null for the team alone.
        project_role: on that project.
        invited_by: acc_…; null for the platform.
        created_at: RFC 3339.
        expires_at: RFC 3339.
    """

    id: str
    team_id: str
    email: str
    role: str | None
    project_id: str | None
    project_role: str | None
    invited_by: str | None
    created_at: str
    expires_at: str


class InvitedShape(TypedDict):
    """An invitation that was just sent.

    Attributes:
        invitation: what it is.
        accept_url: what the mail holds, for where no mail goes out; in this answer and nowhere else.
    """

    invitation: InvitationShape
    accept_url: str


class InvitationList(TypedDict):
    """Invitations.

    Attributes:
        invitations: that can be accepted, newest first.
    """

    invitations: list[InvitationShape]


class JoinedShape(TypedDict):
    """What you have of an invitation.

    Attributes:
        team_id: tem_….
        team_name: of the team.
        role: yours on the team; null for a guest.
        project_id: prj_…; null when it was for the team alone.
        project_role: yours on that project.
    """

    team_id: str
    team_name: str
    role: str | None
    project_id: str | None
    project_role: str | None


def invitation(message: invitations_pb2.Invitation) -> InvitationShape:
    """An invitation as the API shows it."""
    return {
        "id": message.id,
        "team_id": message.team_id,
        "email": message.email,
        "role": message.role or None,
        "project_id": message.project_id or None,
        "project_role": message.project_role or None,
        "invited_by": message.invited_by or None,
        "created_at": time_of(message.created_at_ms),
        "expires_at": time_of(message.expires_at_ms),
    }


def invited(message: invitations_pb2.Invited) -> InvitedShape:
    """With its link."""
    return {"invitation": invitation(message.invitation), "accept_url": message.accept_url}


def accepted(message: invitations_pb2.AcceptInvitationResponse) -> JoinedShape:
    """What it gave."""
    return {
        "team_id": message.team_id,
        "team_name": message.team_name,
        "role": message.role or None,
        "project_id": message.project_id or None,
        "project_role": message.project_role or None,
    }
