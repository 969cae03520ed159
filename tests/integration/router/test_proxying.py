"""Requests through the router to a real origin: what arrives, what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import pytest

from router.edge.upstream import Upstream
from tests.integration.router.wire import InProcess, Origin, endpoints, read_message, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


async def test_a_request_arrives_whole_and_its_answer_returns(router: InProcess, origin: Origin) -> None:
    answer = await router.ask(b"GET /a/b?c=%20d HTTP/1.1\r\nHost: App.Test:8080\r\nX-Own: 1\r\n\r\n")
    assert answer.status == 200
    assert json.loads(answer.body)["first"] == "GET /a/b?c=%20d HTTP/1.1"
    request = origin.requests[0]
    assert request["host"] == "App.Test:8080"
    assert request["x-own"] == "1"
    assert request["x-forwarded-for"] == "127.0.0.1"
    assert request["x-forwarded-proto"] == "http"
    assert request["x-request-id"] == answer["x-request-id"]
    assert answer["date"]


async def test_what_a_stranger_claims_about_itself_is_replaced(router: InProcess, origin: Origin) -> None:
    await router.ask(
        b"GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 1.1.1.1\r\nX_Forwarded_For: 2.2.2.2\r\n"
        b"X-Forwarded-Proto: https\r\nCF-Connecting-IP: 3.3.3.3\r\nForwarded: for=4.4.4.4\r\nX-Real-IP: 5.5.5.5\r\n\r\n"
    )
    request = origin.requests[0]
    assert request["x-forwarded-for"] == "127.0.0.1"
    assert request["x-forwarded-proto"] == "http"
    names = {name for name, _ in request.headers}
    assert not names & {"x_forwarded_for", "cf-connecting-ip", "forwarded", "x-real-ip"}


async def test_a_trusted_peer_is_appended_to(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router(trusted="127.0.0.0/8")
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    await router.ask(
        b"GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n"
        b"CF-Connecting-IP: 1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\n\r\n"
    )
    request = origin.requests[0]
    assert request["x-forwarded-for"] == "1.1.1.1, 127.0.0.1"
    assert request["x-forwarded-proto"] == "https"
    assert request["x-real-ip"] == "1.1.1.1"
    assert not request["cf-connecting-ip"]  # it is no Cloudflare


async def test_a_request_id_and_a_trace_pass_through(router: InProcess, origin: Origin) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = await router.ask(
        f"GET / HTTP/1.1\r\nHost: app.test\r\nX-Request-Id: mine-12345\r\nTraceparent: {trace}\r\n\r\n".encode()
    )
    assert answer["x-request-id"] == "mine-12345"
    assert origin.requests[0]["x-request-id"] == "mine-12345"
    assert origin.requests[0]["traceparent"] == trace


async def test_a_malformed_request_id_and_trace_are_replaced(router: InProcess, origin: Origin) -> None:
    await router.ask(b"GET / HTTP/1.1\r\nHost: app.test\r\nX-Request-Id: a b\r\nTraceparent: zz\r\n\r\n")
    assert len(origin.requests[0]["x-request-id"]) == 32
    assert not origin.requests[0]["traceparent"]


async def test_connections_are_kept_on_both_sides(router: InProcess, origin: Origin) -> None:
    reader, writer = await router.connect()
    for _ in range(5):
        writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
        assert (await read_message(reader)).status == 200
    writer.close()
    assert origin.connections == 1
    assert router.edge.metrics.accepted == 1


async def test_pipelined_requests_are_answered_in_order(router: InProcess) -> None:
    reader, writer = await router.connect()
    writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: app.test\r\n\r\n" % n for n in range(200)))
    for n in range(200):
        assert json.loads((await read_message(reader)).body)["first"] == f"GET /{n} HTTP/1.1"
    writer.close()


async def test_pipelining_goes_on_behind_bodies_and_local_answers(router: InProcess) -> None:
    reader, writer = await router.connect()
    writer.write(
        b"POST /1 HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc"
        b"GET /2 HTTP/1.1\r\nHost: nowhere.test\r\n\r\n"
        b"POST /3 HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
        b"GET /4 HTTP/1.1\r\nHost: app.test\r\n\r\n"
    )
    assert [(await read_message(reader)).status for _ in range(4)] == [200, 404, 200, 200]
    writer.close()


@pytest.mark.parametrize("size", [1, 3, 17])
async def test_any_split_of_the_bytes_gives_the_same(router: InProcess, origin: Origin, size: int) -> None:
    raw = (
        b"POST /x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
        b"PUT /y HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nabcd"
    )
    reader, writer = await router.connect()
    for at in range(0, len(raw), size):
        writer.write(raw[at : at + size])
        await asyncio.sleep(0)
        await writer.drain()
    assert (await read_message(reader)).status == 200
    assert (await read_message(reader)).status == 200
    assert [r.body for r in origin.requests] == [b"hello world", b"abcd"]
    writer.close()


async def test_head_has_no_body_and_keeps_its_length(router: InProcess) -> None:
    reader, writer = await router.connect()
    writer.write(b"HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\nGET /next HTTP/1.1\r\nHost: app.test\r\n\r\n")
    head = await read_message(reader, bodiless=True)
    assert int(head["content-length"]) > 0
    assert json.loads((await read_message(reader)).body)["first"] == "GET /next HTTP/1.1"
    writer.close()


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body_end_at_their_head(router: InProcess, origin: Origin, status: int) -> None:
    origin.answer = b'HTTP/1.1 %d X\r\nETag: "a"\r\n\r\n' % status
    reader, writer = await router.connect()
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
        assert (await read_message(reader)).status == status
    assert origin.connections == 1
    writer.close()


async def test_a_chunked_answer_passes_with_its_trailers(router: InProcess, origin: Origin) -> None:
    origin.answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
    )
    raw = await router.talk(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
    assert raw.endswith(b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")


async def test_an_answer_without_length_is_framed_for_the_client(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nfirst ")
        await writer.drain()
        writer.write(b"second")

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
        answer = await read_message(reader)
        assert (answer.body, answer["transfer-encoding"]) == (b"first second", "chunked")
        assert answer.first.startswith("HTTP/1.1 ")
    writer.close()


async def test_an_old_client_gets_what_it_understands(router: InProcess, origin: Origin) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    raw = await router.talk(b"GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b"abcde"
    assert b"ransfer-" not in head
    assert origin.requests[0].first == "GET / HTTP/1.1"


async def test_an_old_client_may_keep_its_connection(router: InProcess) -> None:
    reader, writer = await router.connect()
    for _ in range(2):
        writer.write(b"GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n")
        assert (await read_message(reader))["connection"] == "keep-alive"
    writer.close()


async def test_connection_close_is_obeyed(router: InProcess) -> None:
    raw = await router.talk(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in raw


async def test_hop_by_hop_headers_stay_on_their_hop(router: InProcess, origin: Origin) -> None:
    origin.answer = (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=9\r\nX-Hop: 1\r\nX-Stay: 2\r\n"
        b"Proxy-Authenticate: x\r\nX-Request-Id: theirs\r\nContent-Length: 0\r\n\r\n"
    )
    answer = await router.ask(
        b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: X-Secret, TE\r\nX-Secret: 1\r\nTE: trailers\r\n"
        b"Keep-Alive: 5\r\nProxy-Authorization: x\r\nUpgrade: foo\r\nX-Stay: 1\r\n\r\n"
    )
    assert {n for n, _ in answer.headers} == {"x-stay", "content-length", "date", "x-request-id", "server-timing"}
    assert answer["x-request-id"] != "theirs"
    assert {n for n, _ in origin.requests[0].headers} == {
        *("host", "x-stay", "x-forwarded-for", "x-forwarded-proto", "via", "x-request-id", "te", "connection")
    }
    assert (origin.requests[0]["te"], origin.requests[0]["connection"]) == ("trailers", "TE")


async def test_an_absolute_target_rules_over_host(router: InProcess, origin: Origin) -> None:
    answer = await router.ask(b"GET http://app.test/p?q HTTP/1.1\r\nHost: evil.test\r\n\r\n")
    assert answer.status == 200
    assert (origin.requests[0].first, origin.requests[0]["host"]) == ("GET /p?q HTTP/1.1", "app.test")


async def test_options_for_the_whole_server_passes(router: InProcess, origin: Origin) -> None:
    assert (await router.ask(b"OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n")).status == 200
    assert origin.requests[0].first == "OPTIONS * HTTP/1.1"


async def test_continue_is_the_origins_to_say(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"100-continue" in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        body = await reader.readexactly(5)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert (await read_message(reader)).status == 100
    early = await read_message(reader)
    assert (early.status, early["link"]) == (103, "</a>")
    writer.write(b"hello")
    assert (await read_message(reader)).body == b"hello"
    writer.close()


async def test_an_early_answer_reaches_a_client_that_is_still_sending(
    router: InProcess, make_origin: MakeOrigin
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await writer.drain()
        await reader.read(-1)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10000000\r\n\r\n")
    for _ in range(20):
        writer.write(b"x" * 10000)
        await asyncio.sleep(0)
    answer = await read_message(reader)
    assert (answer.status, answer.body, answer["connection"]) == (413, b"big", "close")
    assert await reader.read() == b""
    writer.close()


async def test_large_bodies_stream_both_ways(router: InProcess, make_origin: MakeOrigin) -> None:
    size = 8_000_000

    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while got < size:
            got += len(await reader.read(2**18))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            writer.write(b"y" * 100_000)
            await writer.drain()

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // 100_000):
        writer.write(b"x" * 100_000)
        await writer.drain()
    assert len((await read_message(reader)).body) == size
    writer.close()


async def test_a_client_that_does_not_read_stops_the_origin(router: InProcess, make_origin: MakeOrigin) -> None:
    sent = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"z" * 65536)
            await writer.drain()
            sent += 65536

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    _, writer = await router.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    before = -1
    while sent != before or not sent:
        before = sent
        await asyncio.sleep(0.3)
    (client,) = router.edge.clients
    assert client.write_paused
    assert client.transport.get_write_buffer_size() < 1_000_000
    assert sent < 50_000_000
    writer.transport.abort()


async def test_an_origin_that_does_not_read_stops_the_client(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(60)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    _, writer = await router.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000000\r\n\r\n")
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 100_000_000:
            writer.write(b"x" * 65536)
            async with asyncio.timeout(0.5):
                await writer.drain()
            sent += 65536
    assert sent < 50_000_000
    (client,) = router.edge.clients
    assert isinstance(client.upstream, Upstream)
    assert client.upstream.transport.get_write_buffer_size() < 1_000_000
    writer.transport.abort()


async def test_a_half_closed_client_gets_its_answer(router: InProcess) -> None:
    reader, writer = await router.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
    writer.write_eof()
    assert (await read_message(reader)).status == 200
    assert await reader.read() == b""
    writer.close()


async def test_a_unix_socket_serves_as_an_endpoint(
    router: InProcess, make_origin: MakeOrigin, tmp_path: object
) -> None:
    path = f"{tmp_path}/o.sock"
    await make_origin(path=path, name="unix")
    router.put(endpoints("rel_1", f"unix:{path}"))
    for _ in range(2):
        assert json.loads((await router.ask(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")).body)["by"] == "unix"
