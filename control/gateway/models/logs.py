"""Log lines: which are asked for, and how one is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypedDict

from pydantic import Field

from control.gateway.models.base import Query, Short
from proto.logsink.v1 import logsink_pb2

TAIL_MAX: Final = 10_000
OFFSET_MAX: Final = 2**63 - 1


class LogQuery(Query):
    """Which lines.

    Attributes:
        follow: whether to go on with lines as they come.
        tail: begin with so many of the last lines; not looked at with `after`.
        source: `build` or `run`; empty is both.
        deployment: dep_…; only of this one.
        after: the `offset` of an earlier line; go on behind it.
    """

    follow: bool = False
    tail: Annotated[int, Field(ge=1, le=TAIL_MAX)] = 200
    source: Literal["", "build", "run"] = ""
    deployment: Short = ""
    after: Annotated[int, Field(ge=1, le=OFFSET_MAX)] | None = None


class LineShape(TypedDict):
    """A log line.

    Attributes:
        at: RFC 3339.
        deployment_id: dep_…; null for the platform's own lines.
        instance_id: ins_…; null for lines of builds.
        source: `build` or `run`.
        stream: `stdout`, `stderr` or `system`.
        text: without its end.
        offset: resumes a read after it.
    """

    at: str
    deployment_id: str | None
    instance_id: str | None
    source: str
    stream: str
    text: str
    offset: int


def line(message: logsink_pb2.Line) -> LineShape:
    """A line as the API shows it."""
    return {
        "at": datetime.fromtimestamp(message.at_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        "deployment_id": message.deployment_id or None,
        "instance_id": message.instance_id or None,
        "source": message.source,
        "stream": message.stream,
        "text": message.text,
        "offset": message.offset,
    }
