"""The gRPC face of a team's members (proto/auth/v1/members.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.auth.members.service import Member, Members
from control.auth.standing import parse
from control.auth.teams.service import missing
from kernel.authority import Permission, Resource, allowed, current, require
from kernel.times import ms_of
from proto.auth.v1 import members_pb2 as pb
from proto.auth.v1.members_pb2_grpc import MembersServicer


class MembersServer(MembersServicer):
    """Answers the calls of the service Members."""

    def __init__(self, members: Members) -> None:
        self._members = members

    async def ListMembers(self, request: pb.ListMembersRequest, context: Any) -> pb.ListMembersResponse:
        """All."""
        _require(Permission.TEAM_MEMBER_READ, request.team_id)
        return pb.ListMembersResponse(members=[message(one) for one in await self._members.of(request.team_id)])

    async def ChangeMember(self, request: pb.ChangeMemberRequest, context: Any) -> pb.Member:
        """Somebody's role; one's own may only become less, which the rule about ranks sees to."""
        _require(own_or(Permission.TEAM_MEMBER_UPDATE, Permission.TEAM_MEMBER_SELF_UPDATE, request), request.team_id)
        return message(await self._members.change(request.team_id, request.account_id, parse(request.role)))

    async def RemoveMember(self, request: pb.RemoveMemberRequest, context: Any) -> pb.RemoveMemberResponse:
        """Somebody, or oneself."""
        _require(own_or(Permission.TEAM_MEMBER_DELETE, Permission.TEAM_MEMBER_SELF_DELETE, request), request.team_id)
        await self._members.remove(request.team_id, request.account_id)
        return pb.RemoveMemberResponse()


def own_or(others: Permission, own: Permission, request: Any) -> Permission:
    """The permission that it needs to change a member: of one's own, the lesser one is enough, and either will do."""
    on = Resource(request.team_id, getattr(request, "project_id", ""))
    is_own = bool(request.account_id) and request.account_id == current().account_id
    return own if is_own and not allowed(others, on) else others


def _require(permission: Permission, team_id: str) -> None:
    require(permission, Resource(team_id), hidden=missing(team_id))


def message(member: Member) -> pb.Member:
    """As it goes over the wire."""
    return pb.Member(
        account_id=member.account_id,
        email=member.email,
        name=member.name,
        role=member.role,
        since_ms=ms_of(member.since),
        in_team=member.in_team,
    )
