"""Projects."""

from __future__ import annotations

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from control.gateway.models import CreateProject
from proto.projects.v1 import projects_pb2


async def create(call: Call) -> web.Response:
    """POST /v1/projects."""
    wanted = await body.read(call.request, CreateProject)
    request = projects_pb2.CreateProjectRequest(
        name=wanted.name,
        build=projects_pb2.BuildSettings(**{field: getattr(wanted, field) for field in present.BUILD}),
        production_branch=wanted.production_branch,
        env=wanted.env,
    )
    made = await call.parts.clients.projects.CreateProject(request)
    return body.answer(present.project(made, call.parts.settings), status=201)


async def index(call: Call) -> web.Response:
    """GET /v1/projects."""
    request = projects_pb2.ListProjectsRequest()
    found = await call.parts.clients.projects.ListProjects(request)
    return body.answer({"projects": [present.project(one, call.parts.settings) for one in found.projects]})


async def show(call: Call) -> web.Response:
    """GET /v1/projects/{project}."""
    return body.answer(present.project(await call.project(), call.parts.settings))


async def delete(call: Call) -> web.Response:
    """DELETE /v1/projects/{project}: all that it runs, serves and keeps, its repository included."""
    project = await call.project()
    await call.parts.clients.projects.DeleteProject(projects_pb2.DeleteProjectRequest(project_id=project.id))
    await call.parts.git.forget(project.id)
    return web.Response(status=204)
