"""Between proto/logsink/v1 and our own words."""

from __future__ import annotations

from logsink.lines import Line, Query
from proto.logsink.v1 import logsink_pb2 as pb


def line_from(message: pb.Line) -> Line:
    """As sent; unchecked."""
    return Line(
        message.at_ns,
        message.project_id,
        message.deployment_id,
        message.instance_id,
        message.source,
        message.stream,
        message.text,
    )


def line_to(line: Line) -> pb.Line:
    """With its offset."""
    return pb.Line(
        at_ns=line.at_ns,
        project_id=line.project_id,
        deployment_id=line.deployment_id,
        instance_id=line.instance_id,
        source=line.source,
        stream=line.stream,
        text=line.text,
        offset=line.offset,
    )


def query_from(message: pb.ReadRequest) -> Query:
    """As sent; unchecked."""
    return Query(message.project_id, message.deployment_id, message.source, message.after_offset, message.tail)
