"""What a project runs now."""

from __future__ import annotations

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from proto.orchestrator.v1 import orchestrator_pb2


async def index(call: Call) -> web.Response:
    """GET /v1/projects/{project}/instances."""
    project = await call.project()
    request = orchestrator_pb2.ListInstancesRequest(project_id=project.id)
    found = await call.parts.clients.orchestrator.ListInstances(request)
    return body.answer({"instances": [present.instance(one) for one in found.instances]})
