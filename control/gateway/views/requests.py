"""A project's requests, as the routers answered them."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import requests as models
from proto.logsink.v1 import logsink_pb2


async def index(call: Call, query: models.RequestQuery) -> models.RequestList:
    """GET /v1/projects/{project}/requests: lists what a project's apps were asked, newest first.

    `next_until` goes on where an answer was left off, and is null when the range has been looked through.
    """
    wanted = logsink_pb2.ListRequestsRequest(
        project_id=call.found.id,
        since_us=query.since or 0,
        until_us=query.until or 0,
        status_classes=query.classes,
        limit=query.limit,
    )
    found = await call.clients.logs.ListRequests(wanted)
    return {"requests": models.requests(found.requests), "next_until": found.next_until_us or None}
