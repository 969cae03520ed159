"""Requests, as the routers answered them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, TypedDict

from pydantic import Field, field_validator

from control.gateway.models.base import Query, Short
from proto.logsink.v1 import logsink_pb2

Micros = Annotated[int, Field(ge=1, le=2**53)]
_CLASSES: Final = ("0", "1", "2", "3", "4", "5")


class RequestQuery(Query):
    """Which requests.

    Attributes:
        status: classes, e.g. `4,5` or `4xx` (0: no answer); empty is all.
        since: unix time in microseconds, inclusive.
        until: unix time in microseconds, exclusive.
        limit: how many at most; a few more come when several share the last one's time.
    """

    status: Short = ""
    since: Micros | None = None
    until: Micros | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100

    @field_validator("status")
    @classmethod
    def _known(cls, text: str) -> str:
        if any(one not in _CLASSES for one in _split(text)):
            raise ValueError("status is classes from 0 to 5, e.g. 4,5")
        return text

    @property
    def classes(self) -> list[int]:
        """The classes as numbers."""
        return [int(one) for one in _split(self.status)]


class RequestShape(TypedDict):
    """A request, with what answered it and where its time went.

    Attributes:
        at: when its head came, RFC 3339.
        at_us: the same in unix time, microseconds.
        id: its X-Request-Id, which the app got too.
        trace_id: of its traceparent; null without one.
        client_ip: who sent it.
        method: as it came.
        host: as it came.
        target: path and query, bounded.
        status: of the answer; null when the client left before there was one.
        error: the router's own code; null when the router did not answer itself.
        whole: whether the client got the whole answer.
        kind: what answered: `app`, `woken`, `file`, `cache`, `tunnel`, `router` or `error`.
        environment: that it went to.
        release_id: rel_…; null where none was asked.
        instance_id: ins_…; null where none was asked.
        attempts: how often it was sent.
        received: bytes of its body.
        sent: bytes of the answer's body.
        queue_ms: waited before an instance was picked.
        connect_ms: connecting to instances.
        first_byte_ms: from then to the head of the answer.
        body_ms: from there to the last byte.
    """

    at: str
    at_us: int
    id: str
    trace_id: str | None
    client_ip: str
    method: str
    host: str
    target: str
    status: int | None
    error: str | None
    whole: bool
    kind: str
    environment: str
    release_id: str | None
    instance_id: str | None
    attempts: int
    received: int
    sent: int
    queue_ms: float
    connect_ms: float
    first_byte_ms: float
    body_ms: float


class RequestList(TypedDict):
    """Requests, newest first.

    Attributes:
        requests: of this page.
        next_until: the `until` of the next page; null when the range has been looked through.
    """

    requests: list[RequestShape]
    next_until: int | None


def requests(columns: logsink_pb2.RequestColumns) -> list[RequestShape]:
    """Requests as the API shows them."""
    return [_request(columns, columns.served[by], index) for index, by in enumerate(columns.by)]


def _split(text: str) -> list[str]:
    return [part.strip().lower().removesuffix("xx") for part in text.split(",") if part.strip()]


def _request(columns: logsink_pb2.RequestColumns, served: logsink_pb2.Served, index: int) -> RequestShape:
    return {
        "at": datetime.fromtimestamp(columns.at_us[index] / 1e6, UTC).isoformat(timespec="milliseconds"),
        "at_us": columns.at_us[index],
        "id": columns.id[index],
        "trace_id": columns.trace_id[index] or None,
        "client_ip": columns.client_ip[index],
        "method": columns.method[index],
        "host": columns.host[index],
        "target": columns.target[index],
        "status": columns.status[index] or None,
        "error": columns.error[index] or None,
        "whole": columns.whole[index],
        "kind": served.kind,
        "environment": served.environment,
        "release_id": served.release_id or None,
        "instance_id": served.instance_id or None,
        "attempts": columns.attempts[index],
        "received": columns.received[index],
        "sent": columns.sent[index],
        "queue_ms": columns.queue_us[index] / 1000,
        "connect_ms": columns.connect_us[index] / 1000,
        "first_byte_ms": columns.first_us[index] / 1000,
        "body_ms": columns.body_us[index] / 1000,
    }
