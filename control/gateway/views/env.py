"""A project's env vars."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import env as models
from proto.projects.v1 import projects_pb2


async def show(call: Call) -> models.EnvShape:
    """GET /v1/projects/{project}/env: shows a project's variables."""
    found = await call.clients.projects.ListEnv(projects_pb2.ListEnvRequest(project_id=call.found.id))
    return models.env(found)


async def change(call: Call, body: models.ChangeEnv) -> models.EnvShape:
    """PUT /v1/projects/{project}/env: changes variables.

    What is live gets them at once, unless `deploy` is false; nothing is built. With `scope` the variables that are set
    are given to builds or to what runs only.
    """
    request = projects_pb2.SetEnvRequest(
        project_id=call.found.id,
        set=body.set,
        unset=body.unset,
        deploy=body.deploy,
        actor_id=call.who.actor_id,
        scope=body.scope,
    )
    return models.env(await call.clients.projects.SetEnv(request))
