"""A request on its way from the path to a file or to the supervisor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from router.access_log.lines import lines
from router.access_log.noted import AccessLog, Entry
from router.access_log.packing import Record, Served, pack, unpack
from router.core.errors import BAD_REQUEST
from router.core.request import LOST, TUNNELED
from tests.unit.router.requests import HEAD, ended

TRACE = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"


def noted(*requests: Any, at: float = 0.01) -> list[Entry]:
    log, taken = kept()
    for request in requests:
        log.add(request, "192.0.2.1", at)
    assert log.take() is not None
    return taken


def kept() -> tuple[AccessLog, list[Entry]]:
    """A log, and the entries that it packs."""
    taken: list[Entry] = []

    def keep(entries: Sequence[Entry], offset: float) -> bytes:
        taken.extend(entries)
        return b"frame"

    return AccessLog(keep), taken


def test_a_record_comes_through_to_the_supervisor() -> None:
    log = noted(ended(0.01, HEAD[:-2] + TRACE + b"\r\n", queued=0.001, connecting=0.002))
    (record,) = unpack(pack(log, 1_700_000_000.0))
    assert record == Record(
        served=Served("prj_1", "production", "rel_1", "ins_1", "app"),
        at_us=1_700_000_000_000_000,
        id="0123456789abcdef",
        trace_id="0af7651916cd43dd8448eb211c80319c",
        client_ip="192.0.2.1",
        method="GET",
        host="app.test",
        target="/a?b=c",
        status=200,
        error="",
        whole=True,
        attempts=1,
        received=0,
        sent=7,
        queue_us=1000,
        connect_us=2000,
        first_us=2000,
        body_us=5000,
    )


def test_the_same_record_as_a_line() -> None:
    log = noted(ended(0.01, HEAD[:-2] + TRACE + b"\r\n", queued=0.001, connecting=0.002))
    line = json.loads(lines(log, 1_700_000_000.0))
    assert line == {
        "at": 1_700_000_000.0,
        "id": "0123456789abcdef",
        "trace": "0af7651916cd43dd8448eb211c80319c",
        "ip": "192.0.2.1",
        "method": "GET",
        "host": "app.test",
        "target": "/a?b=c",
        "status": 200,
        "project": "prj_1",
        "environment": "production",
        "release": "rel_1",
        "instance": "ins_1",
        "kind": "app",
        "sent": 7,
        "queue_ms": 1.0,
        "connect_ms": 2.0,
        "first_byte_ms": 2.0,
        "body_ms": 5.0,
    }


def test_whatever_octets_a_client_sends_a_line_is_one_json_object() -> None:
    target = b"/\"\\\\'" + bytes([0x7E, 0x21]) + b"?%00"
    head = b"GET " + target + b' HTTP/1.1\r\nHost: a"\\\xff\tb\r\n\r\n'
    log = noted(ended(head=head), ended())
    written = lines(log, 0.0)
    assert written.count(b"\n") == 2
    line = json.loads(written.splitlines()[0])
    assert line["target"] == target.decode()
    assert line["host"] == 'a"\\\xff\tb'
    noted_again = noted(ended(head=head), ended())
    first, _ = unpack(pack(noted_again, 0.0))
    assert (first.target, first.host) == (line["target"], line["host"])


def test_requests_that_differ_share_a_frame() -> None:
    lost = ended(phase=LOST, first=0.0, status=0, error="")
    log, taken = kept()
    for request in (lost, ended(kind=TUNNELED, status=101), ended(route=None, endpoint=None, release="")):
        log.add(request, "192.0.2.1", 0.01)
    log.unread(BAD_REQUEST, b"f" * 32, "192.0.2.9", 5.0)
    assert log.take() is not None
    one, two, three, four = unpack(pack(taken, 0.0))
    assert (one.whole, one.status, one.first_us, one.body_us) == (False, 0, 10_000, 0)
    assert (two.served.kind, two.status) == ("tunnel", 101)
    assert three.served == Served("", "", "", "", "app")
    assert (four.error, four.status, four.client_ip, four.at_us) == ("BAD_REQUEST", 400, "192.0.2.9", 5_000_000)
    assert len(lines(taken, 0.0).splitlines()) == 4


def test_targets_and_hosts_are_bounded() -> None:
    head = b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: " + b"h" * 900 + b"\r\n\r\n"
    (record,) = unpack(pack(noted(ended(head=head)), 0.0))
    assert (len(record.target), len(record.host)) == (1024, 255)


async def test_a_list_that_nobody_empties_drops_and_counts() -> None:
    log, _ = kept()
    for _ in range(40_000):
        log.add(ended(), "", 1.0)
        if len(log) % 256 == 0:
            await asyncio.sleep(0)
    log.unread(BAD_REQUEST, b"f" * 32, "", 5.0)
    assert len(log) <= 32_768 + 256
    assert len(log) + log.take_dropped() == 40_001
    assert log.take_dropped() == 0


async def test_a_turn_of_the_loop_that_takes_too_long_drops_and_counts() -> None:
    log, taken = kept()
    for _ in range(5000):
        log.add(ended(), "", 1.0)
    assert (len(log), log.take_dropped()) == (4096, 904)
    await asyncio.sleep(0)
    frame = log.take()
    assert frame is not None
    assert (frame.count, len(taken), len(log), log.take()) == (4096, 4096, 0, None)
