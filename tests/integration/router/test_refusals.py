"""What the router refuses, from clients and from origins, and that nobody ever gets another's bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.router.wire import InProcess, Origin, endpoints, read_message, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]

HOST = b"Host: app.test\r\n"
BAD_HEADS = {
    "both length and coding": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +3\r\n\r\nabc",
    "a hexadecimal length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0x3\r\n\r\nabc",
    "an empty length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n\r\n",
    "a huge length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n",
    "a twin of the length": b"POST / HTTP/1.1\r\n" + HOST + b"Content_Length: 3\r\n\r\nabc",
    "a coding that is not last": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "an unknown coding": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "a coding twice": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a coding in HTTP/1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a tab in the coding": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    "space before a colon": b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\n" + HOST + b"X: 1\r\n 2\r\n\r\n",
    "a bare LF": b"GET / HTTP/1.1\n" + b"Host: app.test\n\n",
    "a bare LF among lines": b"GET / HTTP/1.1\r\n" + HOST + b"X: 1\nY: 2\r\n\r\n",
    "a bare CR": b"GET / HTTP/1.1\r\n" + HOST + b"X: 1\rY: 2\r\n\r\n",
    "a NUL": b"GET / HTTP/1.1\r\n" + HOST + b"X: 1\x002\r\n\r\n",
    "a name with a space": b"GET / HTTP/1.1\r\n" + HOST + b"X Y: 1\r\n\r\n",
    "an empty name": b"GET / HTTP/1.1\r\n" + HOST + b": 1\r\n\r\n",
    "a line without a colon": b"GET / HTTP/1.1\r\n" + HOST + b"nothing\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: other.test\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n",
    "a host with a user": b"GET / HTTP/1.1\r\nHost: a@app.test\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment": b"GET /#x HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET /\r\n" + HOST + b"\r\n",
    "a relative target": b"GET x HTTP/1.1\r\n" + HOST + b"\r\n",
    "a star that is no OPTIONS": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "Connection that names Host": b"GET / HTTP/1.1\r\n" + HOST + b"Connection: host\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_HEADS)
async def test_an_ambiguous_head_is_refused_and_the_connection_closed(
    router: InProcess, origin: Origin, name: str
) -> None:
    raw = await router.talk(BAD_HEADS[name] + b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert raw.count(b"HTTP/1.1 ") == 1
    assert b"X-Shipoff-Error: BAD_" in raw
    assert not origin.requests


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/2.0\r\nHost: app.test\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test\r\n\r\n", 405),
        (b"TRACE / HTTP/1.1\r\nHost: app.test\r\n\r\n", 405),
        (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: app.test\r\n\r\n", 414),
        (b"GET /" + b"a" * 40000, 414),
        (b"GET / HTTP/1.1\r\nHost: app.test\r\nX: " + b"a" * 40000, 431),
        (b"GET / HTTP/1.1\r\nHost: app.test\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\nExpect: magic\r\n\r\n", 417),
    ],
)
async def test_what_is_understood_but_not_served(router: InProcess, raw: bytes, status: int) -> None:
    answer = await router.talk(raw)
    assert answer.startswith(b"HTTP/1.1 %d " % status)


BAD_CHUNKS = [
    b"g\r\nabc\r\n0\r\n\r\n",
    b"-1\r\n\r\n",
    b"3 \r\nabc\r\n0\r\n\r\n",
    b"3\nabc\r\n0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"3\r\nabc\n0\r\n\r\n",
    b"3\r\nabcX\r0\r\n\r\n",
    b"fffffffffffffffff\r\n",
    b"\r\n",
    b"0\r\nContent-Length: 3\r\n\r\n",
    b"0\r\nbroken\r\n\r\n",
    b"3;" + b"x" * 5000 + b"\r\nabc\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("chunks", BAD_CHUNKS)
async def test_a_broken_chunk_ends_the_request(router: InProcess, origin: Origin, chunks: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw = await router.talk(head + chunks + b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert raw.count(b"HTTP/1.1 ") == 1
    assert not origin.requests


async def test_a_broken_chunk_after_a_good_start_cuts_the_origin(router: InProcess, origin: Origin) -> None:
    reader, writer = await router.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    while not origin.open:
        await asyncio.sleep(0.01)
    writer.write(b"zz\r\n")
    assert (await read_message(reader)).status == 400
    while origin.open:
        await asyncio.sleep(0.01)
    assert not origin.requests
    writer.close()


BAD_ANSWERS = {
    "garbage": b"I am not HTTP\r\n\r\n",
    "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "an odd length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "an odd coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a header split": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 10000,
    "a 1xx storm": b"HTTP/1.1 103 Hints\r\n\r\n" * 100,
    "an upgrade unasked": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_an_origin_that_breaks_the_rules_is_a_502(router: InProcess, origin: Origin, name: str) -> None:
    origin.answer = BAD_ANSWERS[name]
    answer = await router.talk(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
    while answer.startswith(b"HTTP/1.1 103 "):
        answer = answer.partition(b"\r\n\r\n")[2]
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"X-Shipoff-Error: UPSTREAM_INVALID\r\n" in answer


async def test_bytes_behind_an_answer_reach_nobody(router: InProcess, origin: Origin) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    reader, writer = await router.connect()
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
        assert (await read_message(reader)).body == b"ok"
    assert origin.connections == 3
    writer.close()


async def test_bytes_on_an_idle_connection_end_it(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_message(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    made = await make_origin(script=script)
    router.put(endpoints("rel_1", made.address))
    for _ in range(3):
        assert (await router.ask(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")).body == b"ok"
        await asyncio.sleep(0.1)
    assert made.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXXX",
    ],
)
async def test_an_answer_that_breaks_off_is_never_taken_for_whole(
    router: InProcess, make_origin: MakeOrigin, answer: bytes
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(0.05)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await read_message(reader)
    writer.close()


async def test_pages_are_html_for_browsers_and_json_for_others(router: InProcess) -> None:
    json_answer = await router.ask(b"GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\n")
    page = await router.ask(b"GET / HTTP/1.1\r\nHost: nowhere.test\r\nAccept: text/html,*/*\r\n\r\n")
    problem = json.loads(json_answer.body)
    assert (json_answer.status, problem["code"]) == (404, "NO_ROUTE")
    assert problem["request_id"] == json_answer["x-request-id"]
    assert page["content-type"].startswith("text/html")
    assert b"NO_ROUTE" in page.body
    assert page["x-request-id"].encode() in page.body


async def test_an_error_page_cannot_be_made_to_run_scripts(router: InProcess) -> None:
    page = await router.ask(
        b"GET /<script>x</script> HTTP/1.1\r\nHost: nowhere.test\r\nAccept: text/html\r\n"
        b'X-Request-Id: "><script>alert(1)\r\n\r\n'
    )
    assert b"<script" not in page.body


async def test_releases_without_a_place_to_go(make_router: MakeRouter) -> None:
    router = await make_router(hold_s=0, switch_s=0)
    router.put(route("empty.test", "rel_e"), endpoints("rel_e"), route("none.test", "rel_none"))
    router.put(route("sleepy.test", "rel_s"), endpoints("rel_s", state="asleep"))
    router.put({"host": "shut.test", "path": "/", "kind": "maintenance"})
    seen = {}
    for host in ("empty", "none", "sleepy", "shut"):
        answer = await router.ask(b"GET / HTTP/1.1\r\nHost: %b.test\r\n\r\n" % host.encode())
        seen[host] = (answer.status, answer["x-shipoff-error"], answer["retry-after"])
    assert seen == {
        "empty": (503, "NO_INSTANCE", "5"),
        "none": (503, "NO_INSTANCE", "5"),
        "sleepy": (503, "ASLEEP", "5"),
        "shut": (503, "MAINTENANCE", "5"),
    }


async def test_a_refusal_keeps_the_connection_when_it_may(router: InProcess) -> None:
    reader, writer = await router.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\nGET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    assert [(await read_message(reader)).status for _ in range(2)] == [404, 200]
    writer.close()


async def test_slow_heads_bodies_and_apps_have_deadlines(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    router = await make_router(head_s=0.2, body_s=0.2, answer_s=0.2, keep_alive_s=0.2)
    router.put(route("app.test"), endpoints("rel_1", (await make_origin(script=script)).address))
    seen = []
    for raw in (
        b"GET / HT",
        b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
    ):
        answer = await router.ask(raw)
        seen.append((answer.status, answer["x-shipoff-error"]))
    assert seen == [(408, "CLIENT_TIMEOUT"), (408, "CLIENT_TIMEOUT"), (504, "UPSTREAM_TIMEOUT")]
    assert await router.talk(b"") == b""
    reader, writer = await router.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\n")
    await read_message(reader)
    assert await reader.read() == b""  # idle for too long
    writer.close()


async def test_a_stalled_answer_is_broken_off(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await reader.read(-1)

    router = await make_router(stream_s=0.2)
    router.put(route("app.test"), endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await read_message(reader)
    writer.close()


async def test_nothing_is_left_of_clients_that_vanish_at_any_point(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_message(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
            for _ in range(20):
                writer.write(b"x" * 10000)
                await writer.drain()
                await asyncio.sleep(0.001)

    made = await make_origin(script=script)
    router.put(endpoints("rel_1", made.address))
    raw = (
        b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 6\r\n\r\nabcdefGET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
    )
    for cut in range(0, len(raw) + 1, 7):
        _, writer = await router.connect()
        writer.write(raw[:cut])
        if cut % 2:
            await asyncio.sleep(0.004)
        writer.transport.abort()
    async with asyncio.timeout(10):
        while router.edge.clients or router.edge.in_flight:
            await asyncio.sleep(0.05)
    release = router.edge.table.releases["rel_1"]
    assert [e.in_flight for e in release.endpoints] == [0]
    assert (await router.ask(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")).status == 200
