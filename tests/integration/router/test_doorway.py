"""PROXY headers and back-pressure at the front door, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kernel.tasks import spawn
from tests.integration.router.tls_wire import Authority
from tests.integration.router.wire import LIMIT_S, InProcess, Origin, endpoints, read_message, route

MakeRouter = Callable[..., Awaitable[InProcess]]
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
LINE = b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 80\r\n"
BINARY = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0f\xcb\x00\x71\x09\xc0\x00\x02\x01\x04\xd2\x00\x50\x04\x00\x00"


@pytest.fixture
async def behind(make_router: MakeRouter, origin: Origin) -> InProcess:
    """A router behind a load balancer that speaks the PROXY protocol."""
    made = await make_router(proxy_protocol="127.0.0.0/8", handshake_s=0.3)
    made.put(route("app.test"), endpoints("rel_1", origin.address))
    return made


@pytest.mark.parametrize("header", [LINE, BINARY])
async def test_the_client_is_who_the_header_says(behind: InProcess, origin: Origin, header: bytes) -> None:
    assert (await behind.ask(header + GET)).status == 200
    reader, writer = await behind.connect()
    for byte in header + GET:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await read_message(reader)).status == 200
    writer.write(GET)
    assert (await read_message(reader)).status == 200
    writer.close()
    assert [request["x-forwarded-for"] for request in origin.requests] == ["203.0.113.9"] * 3


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", BINARY.replace(b"\n\x21\x11", b"\n\x20\x11")])
async def test_a_header_that_speaks_for_nobody_leaves_the_peer(
    behind: InProcess, origin: Origin, header: bytes
) -> None:
    assert (await behind.ask(header + GET)).status == 200
    assert origin.requests[0]["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize("raw", [GET, b"PROXY TCP4 1 2 3 4\r\n" + GET, LINE[:20], b""])
async def test_a_load_balancer_without_a_good_header_is_cut_off(behind: InProcess, origin: Origin, raw: bytes) -> None:
    reader, writer = await behind.connect()
    writer.write(raw)
    try:
        assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
    except ConnectionResetError:
        pass
    writer.close()
    assert not origin.requests
    assert not behind.edge.doorways


async def test_a_rule_counts_the_client_and_not_the_load_balancer(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router(proxy_protocol="127.0.0.0/8")
    router.put(route("app.test", rules={"deny": ["203.0.113.0/24"]}), endpoints("rel_1", origin.address))
    assert (await router.ask(LINE + GET)).status == 403
    assert (await router.ask(LINE.replace(b"203.0.113", b"198.51.100") + GET)).status == 200


async def test_a_header_from_elsewhere_is_never_believed(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router(proxy_protocol="10.0.0.0/8")
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    assert (await router.ask(LINE + GET)).status == 400
    assert (await router.ask(GET)).status == 200
    assert origin.requests[0]["x-forwarded-for"] == "127.0.0.1"


async def test_a_header_comes_before_tls(make_router: MakeRouter, origin: Origin, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate = authority.write(tmp_path / "app.pem", "app.test")
    router = await make_router(proxy_protocol="127.0.0.0/8", tls_certificates=str(certificate))
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    for header in (LINE, BINARY):
        reader, writer = await asyncio.open_connection("127.0.0.1", router.tls_port)
        writer.write(header)
        await writer.start_tls(authority.client(), server_hostname="app.test")
        writer.write(GET)
        assert (await read_message(reader)).status == 200
        writer.close()
    seen = [(request["x-forwarded-for"], request["x-forwarded-proto"]) for request in origin.requests]
    assert seen == [("203.0.113.9", "https")] * 2


async def test_cloudflare_is_believed_by_the_address_in_the_header(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router(proxy_protocol="127.0.0.0/8", cloudflare="ranges")
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    raw = (
        GET[:-2] + b"CF-Connecting-IP: 198.51.100.7\r\nX-Forwarded-For: 6.6.6.6\r\nCF-Ray: 7d0b1c2d3e4f5a6b-FRA\r\n\r\n"
    )
    answer = await router.ask(LINE.replace(b"203.0.113.9", b"172.64.0.1") + raw)
    assert answer["x-request-id"] == "7d0b1c2d3e4f5a6b-FRA"
    await router.ask(LINE + raw)
    seen = [(request["x-forwarded-for"], request["cf-connecting-ip"]) for request in origin.requests]
    assert seen == [("198.51.100.7, 172.64.0.1", "198.51.100.7"), ("203.0.113.9", "")]


async def test_a_full_worker_lets_the_next_one_wait_and_goes_on_when_there_is_room(
    make_router: MakeRouter, origin: Origin
) -> None:
    router = await make_router(max_connections=2)
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    open_ = []
    for _ in range(2):
        open_.append(await router.connect())
        open_[-1][1].write(GET)
        assert (await read_message(open_[-1][0])).status == 200
    waiting = spawn(router.ask(GET), "test.ask")
    async with asyncio.timeout(LIMIT_S):
        while not router.edge.metrics.accept_pauses:
            await asyncio.sleep(0.01)
    assert len(router.edge.clients) == 2
    assert not waiting.done()
    open_[0][1].close()
    assert (await asyncio.wait_for(waiting, LIMIT_S)).status == 200
    open_[1][1].close()
