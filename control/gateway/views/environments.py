"""A project's environments."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import environments as models
from proto.projects.v1 import environments_pb2


async def index(call: Call) -> models.EnvironmentList:
    """GET /v1/projects/{project}/environments: lists production and the previews, each with what is live there."""
    request = environments_pb2.ListEnvironmentsRequest(project_id=call.found.id)
    found = await call.clients.environments.ListEnvironments(request)
    return {"environments": [models.environment(one) for one in found.environments]}


async def show(call: Call) -> models.EnvironmentDetailShape:
    """GET /v1/projects/{project}/environments/{name}: shows one of them, with the variables that count there."""
    request = environments_pb2.GetEnvironmentRequest(project_id=call.found.id, environment=call.named("name"))
    return models.detail(await call.clients.environments.GetEnvironment(request))
