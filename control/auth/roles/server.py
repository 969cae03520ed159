"""The gRPC face of roles on projects (proto/auth/v1/members.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.auth.members.server import message, own_or
from control.auth.roles.service import ProjectRoles
from control.auth.standing import parse
from control.auth.teams.service import missing
from kernel.authority import Permission, Resource, require
from proto.auth.v1 import members_pb2 as pb
from proto.auth.v1.members_pb2_grpc import ProjectMembersServicer


class ProjectMembersServer(ProjectMembersServicer):
    """Answers the calls of the service ProjectMembers."""

    def __init__(self, roles: ProjectRoles) -> None:
        self._roles = roles

    async def ListProjectMembers(self, request: pb.ListProjectMembersRequest, context: Any) -> pb.ListMembersResponse:
        """Those with a role of their own; members of the team have theirs beside it."""
        on = _require(Permission.PROJECT_MEMBER_READ, request)
        return pb.ListMembersResponse(members=[message(one) for one in await self._roles.of(on)])

    async def AddProjectMember(self, request: pb.ChangeProjectMemberRequest, context: Any) -> pb.Member:
        """An account that may be anybody's."""
        on = _require(Permission.PROJECT_MEMBER_CREATE, request)
        return message(await self._roles.add(on, request.account_id, parse(request.role)))

    async def ChangeProjectMember(self, request: pb.ChangeProjectMemberRequest, context: Any) -> pb.Member:
        """One's own may only become less."""
        permission = own_or(Permission.PROJECT_MEMBER_UPDATE, Permission.PROJECT_MEMBER_SELF_UPDATE, request)
        on = _require(permission, request)
        return message(await self._roles.change(on, request.account_id, parse(request.role)))

    async def RemoveProjectMember(
        self, request: pb.RemoveProjectMemberRequest, context: Any
    ) -> pb.RemoveMemberResponse:
        """Somebody's, or one's own."""
        permission = own_or(Permission.PROJECT_MEMBER_DELETE, Permission.PROJECT_MEMBER_SELF_DELETE, request)
        await self._roles.remove(_require(permission, request), request.account_id)
        return pb.RemoveMemberResponse()


def _require(permission: Permission, request: Any) -> Resource:
    on = Resource(request.team_id, request.project_id)
    require(permission, on, hidden=missing(request.team_id))
    return on
