"""What a router may send and a reader may ask, and that blocks and messages keep every field."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.errors import ShipoffError
from logsink.requests import block, wire
from logsink.requests.record import Request, Served
from proto.logsink.v1 import logsink_pb2 as pb

SERVED = Served("prj_a", "production", "rel_1", "ins_1", "app")


def request(at_us: int = 10**15, status: int = 200, **more: Any) -> Request:
    made = Request(
        SERVED, at_us, "id1", "trace", "192.0.2.1", "GET", "app.test", "/ä?b", status, "", True, 1, 2, 3, 4, 5, 6, 7
    )
    return made._replace(**more)


def message(*requests: Request, producer: str = "router/a", sequence: int = 1) -> pb.AppendRequestsRequest:
    return pb.AppendRequestsRequest(producer=producer, sequence=sequence, requests=wire.columns_of(requests))


def test_a_batch_keeps_every_field() -> None:
    other = request(10**15 + 5, 0, served=SERVED._replace(project_id="prj_b", kind="error"), whole=False)
    batch = wire.batch_from(message(request(), other))
    assert list(batch.requests) == [request(), other]
    assert len(message(request(), request()).requests.served) == 1


def test_a_block_keeps_every_field_and_is_in_order_of_time() -> None:
    made = block.encode([request(10**15 + 9, 503, error="ASLEEP"), request(), request(10**15 + 3, 404)])
    assert (made.first_at_us, made.last_at_us, made.requests) == (10**15, 10**15 + 9, 3)
    assert made.classes == 1 << 5 | 1 << 4 | 1 << 2
    assert block.decode("prj_a", made.body) == [
        request(),
        request(10**15 + 3, 404),
        request(10**15 + 9, 503, error="ASLEEP"),
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"served": SERVED._replace(project_id="")}, "LOG_BATCH_INVALID"),
        ({"at_us": 0}, "LOG_BATCH_INVALID"),
        ({"status": 600}, "LOG_BATCH_INVALID"),
        ({"sent": -1}, "LOG_BATCH_INVALID"),
        ({"target": "/" * 5000}, "LOG_BATCH_TOO_LARGE"),
    ],
)
def test_a_request_that_cannot_be_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(ShipoffError) as refused:
        wire.batch_from(message(request(), request(**change)))
    assert refused.value.code == code


def test_columns_must_fit_together() -> None:
    short = message(request(), request())
    del short.requests.host[:1]
    unnamed = message(request())
    unnamed.requests.by[0] = 7
    for broken in (short, unnamed, message(request(), producer=""), message(request(), sequence=-1)):
        with pytest.raises(ShipoffError, match="LOG_BATCH_INVALID"):
            wire.batch_from(broken)
    with pytest.raises(ShipoffError, match="LOG_BATCH_TOO_LARGE"):
        wire.batch_from(message(*[request()] * (wire.BATCH_REQUESTS + 1)))


def test_questions() -> None:
    query = wire.query_from(pb.ListRequestsRequest(project_id="prj_a", status_classes=[4, 5]))
    assert (query.classes, query.limit, query.since_us) == (48, wire.LIST_DEFAULT, 0)
    for wrong in ({"project_id": ""}, {"limit": -1}, {"limit": 1001}, {"status_classes": [6]}, {"since_us": -1}):
        with pytest.raises(ShipoffError, match="LOG_QUERY_INVALID"):
            wire.query_from(pb.ListRequestsRequest(**{"project_id": "prj_a", **wrong}))  # type: ignore[arg-type]
