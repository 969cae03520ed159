"""A project's env vars."""

from __future__ import annotations

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from control.gateway.models import ChangeEnv
from proto.projects.v1 import projects_pb2


async def show(call: Call) -> web.Response:
    """GET /v1/projects/{project}/env."""
    project = await call.project()
    found = await call.parts.clients.projects.ListEnv(projects_pb2.ListEnvRequest(project_id=project.id))
    return body.private(body.answer(present.env(found)))


async def change(call: Call) -> web.Response:
    """PUT /v1/projects/{project}/env: what is live gets it at once, unless `deploy` is false; nothing is built.

    With `scope` the variables that are set are given to builds or to what runs only.
    """
    project = await call.project()
    wanted = await body.read(call.request, ChangeEnv)
    request = projects_pb2.SetEnvRequest(
        project_id=project.id,
        set=wanted.set,
        unset=wanted.unset,
        deploy=wanted.deploy,
        actor_id=call.account.id,
        scope=wanted.scope,
    )
    return body.private(body.answer(present.env(await call.parts.clients.projects.SetEnv(request))))
