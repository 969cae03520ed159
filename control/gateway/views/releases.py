"""A project's releases: what can be brought back."""

from __future__ import annotations

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from proto.orchestrator.v1 import orchestrator_pb2


async def index(call: Call) -> web.Response:
    """GET /v1/projects/{project}/releases?environment=: those that have served and are kept, newest first."""
    project = await call.project()
    request = orchestrator_pb2.ListReleasesRequest(
        project_id=project.id, environment=call.request.query.get("environment", "")
    )
    found = await call.parts.clients.orchestrator.ListReleases(request)
    return body.answer({"releases": [present.release(one) for one in found.releases]})
