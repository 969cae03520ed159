"""Projects."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import projects as models
from control.gateway.models.base import next_cursor
from proto.projects.v1 import projects_pb2


async def create(call: Call, body: models.CreateProject) -> models.ProjectShape:
    """POST /v1/projects: makes a project; nothing runs before the first deployment."""
    request = projects_pb2.CreateProjectRequest(
        name=body.name,
        team_id=call.team,
        build=body.build(),
        production_branch=body.production_branch,
        env=body.env,
    )
    return models.project(await call.clients.projects.CreateProject(request), call.parts.settings)


async def index(call: Call, query: models.ProjectPage) -> models.ProjectList:
    """GET /v1/projects: lists the projects that you may see, by name."""
    request = projects_pb2.ListProjectsRequest(team_id=query.team, limit=query.limit, after=query.cursor)
    found = (await call.clients.projects.ListProjects(request)).projects
    return {
        "projects": [models.project(one, call.parts.settings) for one in found],
        "next_cursor": next_cursor(found, query.limit, lambda last: last.name),
    }


async def show(call: Call) -> models.ProjectShape:
    """GET /v1/projects/{project}: shows a project, by id or name."""
    return models.project(call.found, call.parts.settings)


async def update(call: Call, body: models.UpdateProject) -> models.ProjectShape:
    """PATCH /v1/projects/{project}: changes settings; the next build goes by them.

    PROJECT_VERSION_CONFLICT when `expect_version` is given and somebody else was faster.
    """
    said = {name: value for name, value in body.model_dump().items() if value is not None}
    request = projects_pb2.UpdateProjectRequest(project_id=call.found.id, **said)
    return models.project(await call.clients.projects.UpdateProject(request), call.parts.settings)


async def transfer(call: Call, body: models.TransferProject) -> models.ProjectShape:
    """POST /v1/projects/{project}/transfer: gives it to another team, in which you may make projects.

    What runs goes on; members and tokens of the project itself stay as they are.
    """
    request = projects_pb2.TransferProjectRequest(project_id=call.found.id, team_id=body.team)
    return models.project(await call.clients.projects.TransferProject(request), call.parts.settings)


async def delete(call: Call) -> None:
    """DELETE /v1/projects/{project}: deletes a project with all that it runs, serves and keeps."""
    await call.clients.projects.DeleteProject(projects_pb2.DeleteProjectRequest(project_id=call.found.id))
    await call.parts.git.forget(call.found.id)
