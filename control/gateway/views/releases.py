"""A project's releases: what can be brought back."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import releases as models
from proto.orchestrator.v1 import orchestrator_pb2


async def index(call: Call, query: models.ReleaseQuery) -> models.ReleaseList:
    """GET /v1/projects/{project}/releases: lists releases that have served and are kept, newest first."""
    request = orchestrator_pb2.ListReleasesRequest(project_id=call.found.id, environment=query.environment)
    found = await call.clients.orchestrator.ListReleases(request)
    return {"releases": [models.release(one) for one in found.releases]}
