"""A project's preview environments."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import previews as models
from proto.projects.v1 import projects_pb2


async def index(call: Call) -> models.PreviewList:
    """GET /v1/projects/{project}/previews: lists a project's preview environments."""
    found = await call.clients.projects.ListPreviews(projects_pb2.ListPreviewsRequest(project_id=call.found.id))
    return {"previews": [models.preview(one) for one in found.previews]}


async def delete(call: Call) -> None:
    """DELETE /v1/projects/{project}/previews/{name}: ends a preview; `name` is its branch."""
    environment = f"preview/{call.named('name')}"
    request = projects_pb2.DeletePreviewRequest(project_id=call.found.id, environment=environment)
    await call.clients.projects.DeletePreview(request)
