"""Well-known clients and servers through the router: aiohttp on both sides, and the library's own client."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from tests.integration.router.wire import InProcess, endpoints


async def echo_messages(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=2**25, protocols=("chat",))
    await socket.prepare(request)
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


async def digest(request: web.Request) -> web.Response:
    made = hashlib.sha256()
    async for piece in request.content.iter_any():
        made.update(piece)
    return web.json_response({"sha256": made.hexdigest(), "coding": request.headers.get("Transfer-Encoding", "")})


async def events(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    for n in range(100):
        await answer.write(b"data: %d\n\n" % n)
        await asyncio.sleep(0)
    return answer


async def packed(request: web.Request) -> web.Response:
    answer = web.Response(body=b"z" * 100_000)
    answer.enable_compression(force=web.ContentCoding.gzip)
    return answer


@pytest.fixture
async def site(router: InProcess) -> AsyncIterator[str]:
    """The address of the router, with an aiohttp app behind it."""
    app = web.Application(client_max_size=2**30)
    app.router.add_get("/ws", echo_messages)
    app.router.add_route("*", "/digest", digest)
    app.router.add_get("/events", events)
    app.router.add_get("/packed", packed)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    router.put(endpoints("rel_1", f"tcp:127.0.0.1:{runner.addresses[0][1]}"))
    yield f"http://127.0.0.1:{router.port}"
    await runner.cleanup()


HEADERS = {"Host": "app.test"}


async def test_websocket_messages_of_every_size(site: str, router: InProcess) -> None:
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.ws_connect(f"{site}/ws", max_msg_size=2**25, protocols=("chat",), compress=15) as socket,
    ):
        assert socket.protocol == "chat"
        for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000, 8_000_000):
            await socket.send_bytes(bytes(size))
            assert (await socket.receive()).data == bytes(size)
        await socket.send_str("tschüss")
        assert (await socket.receive()).data == "tschüss"
        await socket.ping()
        await socket.close()
        assert socket.close_code == 1000
    async with asyncio.timeout(10):
        while router.edge.tunnels:
            await asyncio.sleep(0.01)


async def test_uploads_of_known_and_unknown_length(site: str) -> None:
    data = bytes(range(256)) * 8000
    expected = hashlib.sha256(data).hexdigest()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 70_001):
            yield data[at : at + 70_001]

    async with aiohttp.ClientSession(headers=HEADERS) as session:
        for _ in range(2):
            for body, coding in ((data, ""), (pieces(), "chunked")):
                async with session.post(f"{site}/digest", data=body, expect100=True) as answer:
                    assert await answer.json() == {"sha256": expected, "coding": coding}
        async with session.put(
            f"{site}/digest", data=zlib.compress(data), headers={"Content-Encoding": "deflate"}
        ) as put:
            assert (await put.json())["sha256"] == expected


async def test_events_and_compressed_answers(site: str) -> None:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        async with session.get(f"{site}/events") as answer:
            assert await answer.read() == b"".join(b"data: %d\n\n" % n for n in range(100))
        async with session.get(f"{site}/packed") as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert await answer.read() == b"z" * 100_000


@pytest.mark.parametrize("version", [10, 11])
async def test_the_librarys_own_client(site: str, router: InProcess, version: int) -> None:
    def talk() -> list[tuple[int, bytes]]:
        connection = http.client.HTTPConnection("127.0.0.1", router.port, timeout=10)
        connection._http_vsn = version  # type: ignore[attr-defined]
        connection._http_vsn_str = f"HTTP/1.{version % 10}"  # type: ignore[attr-defined]
        seen = []
        for path in ("/packed", "/events", "/nothing"):
            connection.request("GET", path, headers=HEADERS)
            answer = connection.getresponse()
            seen.append((answer.status, answer.read()[-12:]))
        connection.close()
        return seen

    seen = await asyncio.to_thread(talk)
    assert [status for status, _ in seen] == [200, 200, 404]
    assert seen[1][1].endswith(b"data: 99\n\n")
