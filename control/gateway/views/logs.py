"""A project's log lines, one by one."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from control.gateway.call import Call
from control.gateway.models import logs as models
from control.gateway.stream import Stream
from proto.logsink.v1 import logsink_pb2


async def show(call: Call, query: models.LogQuery) -> Stream[models.LineShape]:
    """GET /v1/projects/{project}/logs: reads log lines of builds and of what runs, oldest first.

    With `after` the read goes on behind a line, else it begins with the last `tail` lines. With `follow` it goes on as
    lines come. A failure in the middle becomes a last line `{"error": {"code", "detail", "hint"}}`.
    """
    wanted = logsink_pb2.ReadRequest(
        project_id=call.found.id,
        deployment_id=query.deployment,
        source=query.source,
        follow=query.follow,
        tail=0 if query.after else query.tail,
        after_offset=query.after or 0,
    )
    return Stream(_lines(call, wanted))


async def _lines(call: Call, wanted: logsink_pb2.ReadRequest) -> AsyncGenerator[models.LineShape, None]:
    async for line in call.clients.logs.Read(wanted):
        yield models.line(line)
