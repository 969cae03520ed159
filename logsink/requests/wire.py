"""Between proto/logsink/v1 and our own words, with what a sender and a reader may say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from kernel.errors import ShipoffError
from logsink.receive.validate import LOG_BATCH_INVALID, LOG_BATCH_TOO_LARGE, LOG_QUERY_INVALID, NAME
from logsink.requests.record import Page, Request, RequestBatch, RequestQuery, Served
from logsink.requests.traffic import START
from proto.logsink.v1 import logsink_pb2 as pb

BATCH_REQUESTS: Final = 10_000
BATCH_BYTES: Final = 4 << 20
LIST_DEFAULT: Final = 100
LIST_MOST: Final = 1000
_FOREVER_US: Final = 2**62
_TEXT: Final = 4096
_ALL_CLASSES: Final = (1 << 10) - 1
_COLUMNS: Final = Request._fields[1:]
_TEXTS: Final = ("id", "trace_id", "client_ip", "method", "host", "target", "error")


def batch_from(message: pb.AppendRequestsRequest) -> RequestBatch:
    """A batch as the store can take it.

    Raises:
        ShipoffError: LOG_BATCH_INVALID, LOG_BATCH_TOO_LARGE.
    """
    if not NAME.fullmatch(message.producer) or not 0 <= message.sequence < 2**63:
        raise LOG_BATCH_INVALID("producer or sequence is not one")
    size = message.requests.ByteSize()
    columns = message.requests
    if size > BATCH_BYTES or len(columns.at_us) > BATCH_REQUESTS:
        raise LOG_BATCH_TOO_LARGE(f"a batch has at most {BATCH_REQUESTS} requests and {BATCH_BYTES} bytes")
    requests = requests_from(columns)
    _check(requests)
    return RequestBatch(message.producer, message.sequence, requests, size)


def requests_from(columns: pb.RequestColumns) -> list[Request]:
    """Rows of columns.

    Raises:
        ShipoffError: LOG_BATCH_INVALID, they do not fit together.
    """
    served = [Served(s.project_id, s.environment, s.release_id, s.instance_id, s.kind) for s in columns.served]
    values: list[Any] = [getattr(columns, name) for name in _COLUMNS]
    if {len(value) for value in values} != {len(columns.by)}:
        raise LOG_BATCH_INVALID("the columns have different lengths")
    if any(by >= len(served) for by in columns.by):
        raise LOG_BATCH_INVALID("a request is served by something that the batch does not name")
    return [Request(served[by], *rest) for by, *rest in zip(columns.by, *values, strict=True)]


def columns_of(requests: Sequence[Request]) -> pb.RequestColumns:
    """Columns of rows."""
    tags: dict[Served, int] = {}
    by = [tags.setdefault(one.served, len(tags)) for one in requests]
    made = pb.RequestColumns(served=[pb.Served(**one._asdict()) for one in tags], by=by)
    for name, column in zip(_COLUMNS, zip(*(one[1:] for one in requests), strict=True), strict=False):
        getattr(made, name).extend(column)
    return made


def query_from(message: pb.ListRequestsRequest) -> RequestQuery:
    """A question.

    Raises:
        ShipoffError: LOG_QUERY_INVALID.
    """
    if not NAME.fullmatch(message.project_id):
        raise LOG_QUERY_INVALID("project_id must be given")
    if not 0 <= message.limit <= LIST_MOST:
        raise LOG_QUERY_INVALID(f"limit must be between 0 and {LIST_MOST}")
    if len(message.id) > _TEXT:
        raise LOG_QUERY_INVALID(f"an id has at most {_TEXT} characters")
    if message.since_us < 0 or message.until_us < 0:
        raise LOG_QUERY_INVALID("times must not be negative")
    classes = 0
    for one in message.status_classes:
        if not 0 <= one <= 5:
            raise LOG_QUERY_INVALID("a status class is a digit from 0 to 5")
        classes |= 1 << one
    return RequestQuery(
        message.project_id,
        message.since_us,
        message.until_us or _FOREVER_US,
        classes or _ALL_CLASSES,
        message.limit or LIST_DEFAULT,
        message.id,
    )


def page_to(page: Page) -> pb.ListRequestsResponse:
    """An answer."""
    return pb.ListRequestsResponse(requests=columns_of(page.requests), next_until_us=page.next_until_us)


def _check(requests: Sequence[Request]) -> None:
    for served in {one.served for one in requests}:
        if not NAME.fullmatch(served.project_id):
            raise LOG_BATCH_INVALID(f"project_id {served.project_id[:80]!r} is not an id")
        if any(len(text) > _TEXT for text in served):
            raise LOG_BATCH_INVALID("a name is too long")
    for one in requests:
        if (problem := _problem(one)) is not None:
            raise problem


def _problem(one: Request) -> ShipoffError | None:
    if not 0 < one.at_us < _FOREVER_US or not 0 <= one.status < 600:
        return LOG_BATCH_INVALID("a request has no time, or an impossible status")
    if min(one.attempts, one.received, one.sent, one.queue_us, one.connect_us, one.first_us, one.body_us) < 0:
        return LOG_BATCH_INVALID("a count or a duration is negative")
    if any(len(getattr(one, name)) > _TEXT for name in _TEXTS):
        return LOG_BATCH_TOO_LARGE(f"a text of a request has at most {_TEXT} characters")
    return None


def traffic_from(request: pb.ListTrafficRequest) -> tuple[int, tuple[str, date]]:
    """Since when, and after which project and month.

    Raises:
        ShipoffError: LOG_QUERY_INVALID.
    """
    try:
        month = date.fromisoformat(request.after_month) if request.after_month else START
    except ValueError:
        raise LOG_QUERY_INVALID(f"{request.after_month[:40]!r} is no month") from None
    return request.changed_since_ms, (request.after_project_id, month)
