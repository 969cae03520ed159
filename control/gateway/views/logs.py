"""A project's log lines, as JSON lines."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from control.gateway.problems import REQUEST_INVALID
from control.gateway.views.deployments import number
from kernel.errors import ShipoffError
from proto.logsink.v1 import logsink_pb2

SOURCES: Final = ("", "build", "run")
TAIL: Final = 200
TAIL_MAX: Final = 10_000
OFFSET_MAX: Final = 2**63 - 1


async def show(call: Call) -> web.StreamResponse:
    """GET /v1/projects/{project}/logs?follow=1&tail=&source=&deployment=&after=: oldest first.

    With `after` (an offset from an earlier line) the read goes on behind it, else it begins with the last `tail` lines.
    A failure in the middle becomes a last line `{"error": {"code", "detail"}}`.
    """
    project = await call.project()
    wanted = _request(call.request, project.id)
    lines = body.Lines(call.request)
    await lines.start()
    try:
        async for line in call.parts.clients.logs.Read(wanted):
            await lines.send(present.line(line))
    except ShipoffError as error:
        await lines.send({"error": {"code": error.code, "detail": error.detail}})
    return await lines.end()


def _request(request: web.Request, project_id: str) -> logsink_pb2.ReadRequest:
    source = request.query.get("source", "")
    if source not in SOURCES:
        raise REQUEST_INVALID("source is build, run, or absent for both")
    after = number(request, "after", 1, OFFSET_MAX) if "after" in request.query else 0
    return logsink_pb2.ReadRequest(
        project_id=project_id,
        deployment_id=request.query.get("deployment", ""),
        source=source,
        follow=request.query.get("follow", "") in ("1", "true"),
        tail=0 if after else number(request, "tail", TAIL, TAIL_MAX),
        after_offset=after,
    )
