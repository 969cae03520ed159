"""What you may do, and by which rule."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import permissions as models
from control.gateway.needs import of_project, personal_team, require_on_team
from kernel.authority import Permission, Resource
from proto.projects.v1 import projects_pb2


async def index(call: Call, query: models.PermissionsQuery) -> models.PermissionList:
    """GET /v1/me/permissions: each permission on a project or a team, with the rule that allows or refuses it.

    For the credential that was sent: a token's scopes count.
    """
    if query.project:
        found = await call.clients.projects.GetProject(projects_pb2.GetProjectRequest(project=query.project))
        return models.permissions(call.who, of_project(found))
    if query.team:
        require_on_team(Permission.TEAM_READ, query.team)
    return models.permissions(call.who, Resource(query.team or personal_team(call.who)))
