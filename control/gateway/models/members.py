"""Members of teams and of projects."""

from __future__ import annotations

from typing import Literal, TypedDict

from control.gateway.models.base import Body, Short, time_of
from proto.auth.v1 import members_pb2

RoleName = Literal["OWNER", "ADMIN", "DEVELOPER", "VIEWER"]


class ChangeMember(Body):
    """Another role for somebody.

    Attributes:
        role: at most your own; neither may be the role before.
    """

    role: RoleName


class AddMember(Body):
    """A role on a project for an account, which need not be a member of the team.

    Attributes:
        account: acc_….
        role: on the project; at most your own.
    """

    account: Short
    role: RoleName


class MemberShape(TypedDict):
    """Somebody with a role.

    Attributes:
        account_id: acc_….
        email: their address.
        name: what others see.
        role: `OWNER`, `ADMIN`, `DEVELOPER` or `VIEWER`.
        in_team: whether they belong to the team; a guest of a project does not.
        since: RFC 3339.
    """

    account_id: str
    email: str
    name: str
    role: str
    in_team: bool
    since: str


class MemberList(TypedDict):
    """Members.

    Attributes:
        members: in the order in which they came.
    """

    members: list[MemberShape]


def member(message: members_pb2.Member) -> MemberShape:
    """A member as the API shows them."""
    return {
        "account_id": message.account_id,
        "email": message.email,
        "name": message.name,
        "role": message.role,
        "in_team": message.in_team,
        "since": time_of(message.since_ms),
    }


def members(message: members_pb2.ListMembersResponse) -> MemberList:
    """All of them."""
    return {"members": [member(one) for one in message.members]}
