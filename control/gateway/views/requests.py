"""A project's requests, as the routers answered them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from control.gateway.problems import REQUEST_INVALID
from control.gateway.views.deployments import number
from proto.logsink.v1 import logsink_pb2

LIMIT: Final = 100
LIMIT_MAX: Final = 1000
_AT_MAX: Final = 2**53


async def index(call: Call) -> web.Response:
    """GET /v1/projects/{project}/requests?status=&since=&until=&limit=: newest first.

    `status` is classes, e.g. `4,5` (0: no answer). `since` and `until` are unix time in microseconds, until exclusive;
    `next_until` goes on where an answer was left off, and is null when the range has been looked through.
    """
    project = await call.project()
    asked, query = call.request, call.request.query
    wanted = logsink_pb2.ListRequestsRequest(
        project_id=project.id,
        since_us=number(asked, "since", 1, _AT_MAX) if "since" in query else 0,
        until_us=number(asked, "until", 1, _AT_MAX) if "until" in query else 0,
        status_classes=_classes(query.get("status", "")),
        limit=number(asked, "limit", LIMIT, LIMIT_MAX),
    )
    found = await call.parts.clients.logs.ListRequests(wanted)
    return body.answer({"requests": present.requests(found.requests), "next_until": found.next_until_us or None})


def _classes(text: str) -> list[int]:
    classes = [part.strip().lower().removesuffix("xx") for part in text.split(",") if part.strip()]
    if any(one not in ("0", "1", "2", "3", "4", "5") for one in classes):
        raise REQUEST_INVALID("status is classes from 0 to 5, e.g. 4,5")
    return [int(one) for one in classes]
