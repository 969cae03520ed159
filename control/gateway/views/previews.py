"""A project's preview environments."""

from __future__ import annotations

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from proto.projects.v1 import projects_pb2


async def index(call: Call) -> web.Response:
    """GET /v1/projects/{project}/previews."""
    project = await call.project()
    found = await call.parts.clients.projects.ListPreviews(projects_pb2.ListPreviewsRequest(project_id=project.id))
    return body.answer({"previews": [present.preview(one) for one in found.previews]})


async def delete(call: Call) -> web.Response:
    """DELETE /v1/projects/{project}/previews/{name}: what it runs and serves goes."""
    project = await call.project()
    environment = f"preview/{call.request.match_info['name']}"
    request = projects_pb2.DeletePreviewRequest(project_id=project.id, environment=environment)
    await call.parts.clients.projects.DeletePreview(request)
    return web.Response(status=204)
