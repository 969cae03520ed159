"""A project's log lines, one by one."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from control.gateway.call import Call
from control.gateway.models import logs as models
from control.gateway.problems import REQUEST_INVALID
from control.gateway.stream import Stream, last_event
from proto.logsink.v1 import logsink_pb2


async def show(call: Call, query: models.LogQuery) -> Stream[models.LineShape]:
    """GET /v1/projects/{project}/logs: reads log lines of builds and of what runs, oldest first.

    With `after` the read goes on behind a line, else it begins with the last `tail` lines. With `follow` it goes on as
    lines come. A failure in the middle becomes a last line `{"error": {"code", "detail", "hint"}}`.
    """
    after = _after(last_event(call.request)) or query.after or 0
    wanted = logsink_pb2.ReadRequest(
        project_id=call.found.id,
        deployment_id=query.deployment,
        source=query.source,
        follow=query.follow,
        tail=0 if after else query.tail,
        after_offset=after,
    )
    return Stream(_lines(call, wanted), mark=lambda line: str(line["offset"]))


def _after(last: str) -> int:
    if last and not (last.isdigit() and int(last) <= models.OFFSET_MAX):
        raise REQUEST_INVALID("Last-Event-ID is the id of no line", hint="send the id of an event as it came")
    return int(last or 0)


async def _lines(call: Call, wanted: logsink_pb2.ReadRequest) -> AsyncGenerator[models.LineShape, None]:
    async for line in call.clients.logs.Read(wanted):
        yield models.line(line)
