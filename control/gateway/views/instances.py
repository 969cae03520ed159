"""What a project runs now."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import instances as models
from proto.orchestrator.v1 import orchestrator_pb2


async def index(call: Call) -> models.InstanceList:
    """GET /v1/projects/{project}/instances: lists the copies of releases that run."""
    request = orchestrator_pb2.ListInstancesRequest(project_id=call.found.id)
    found = await call.clients.orchestrator.ListInstances(request)
    return {"instances": [models.instance(one) for one in found.instances]}
