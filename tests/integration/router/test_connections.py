"""How long a client connection lives and how it ends: pipelines, half-closed and slow peers, unread answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable

import pytest

from router.edge.server import Client
from tests.integration.router.wire import InProcess, Origin, endpoints, read_message, reset, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
NOWHERE = b"GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\n"


async def gone(router: InProcess) -> None:
    """Waits until no client is left."""
    async with asyncio.timeout(10):
        while router.edge.clients or router.edge.in_flight:
            await asyncio.sleep(0.01)


async def one_client(router: InProcess) -> list[Client]:
    """The one client connection, once the router has it."""
    async with asyncio.timeout(10):
        while not router.edge.clients:
            await asyncio.sleep(0.01)
    return list(router.edge.clients)


async def narrow(router: InProcess) -> tuple[Reader, Writer]:
    """A connection whose kernel takes little and whose program reads nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", router.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=2**16)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return reader, writer


async def ask_without_reading(router: InProcess, writer: Writer, requests: bytes) -> None:
    """Sends until the router takes no more; its memory must have stayed small by then."""
    writer.write(requests)
    (client,) = await one_client(router)
    async with asyncio.timeout(10):
        while client.describe()["reads"]:
            await asyncio.sleep(0.01)
    assert client.transport.get_write_buffer_size() < 200_000


async def test_a_client_that_reads_nothing_gets_no_more_answers_of_the_routers_own(router: InProcess) -> None:
    count = 100_000
    reader, writer = await narrow(router)
    await ask_without_reading(router, writer, NOWHERE * count)
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(2000):
        assert (await read_message(reader)).status == 404
    reset(writer)
    await gone(router)


async def test_every_answer_arrives_when_a_slow_reader_reads_at_last(router: InProcess) -> None:
    count = 9000
    reader, writer = await narrow(router)
    writer.write(NOWHERE * count)
    await asyncio.sleep(0.2)
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert [(await read_message(reader)).status for _ in range(count)] == [404] * count
    writer.close()


async def test_a_client_that_never_reads_is_ended(make_router: MakeRouter) -> None:
    router = await make_router(stream_s=0.3)
    _, writer = await narrow(router)
    await ask_without_reading(router, writer, NOWHERE * 100_000)
    await gone(router)
    writer.transport.abort()


async def test_a_last_answer_that_is_never_read_is_ended(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        await writer.drain()

    router = await make_router(stream_s=0.3)
    router.put(route("app.test"), endpoints("rel_1", (await make_origin(script=script)).address))
    _, writer = await narrow(router)
    writer.write(b"GET / HTTP/1.0\r\nHost: app.test\r\n\r\n")
    await asyncio.sleep(0.1)
    assert router.edge.clients
    await gone(router)
    writer.transport.abort()


async def test_a_half_closed_client_gets_every_answer_that_it_asked_for(router: InProcess) -> None:
    reader, writer = await router.connect()
    writer.write(GET + NOWHERE + GET * 3 + NOWHERE)
    writer.write_eof()
    assert [(await read_message(reader)).status for _ in range(6)] == [200, 404, 200, 200, 200, 404]
    assert await reader.read() == b""
    writer.close()
    await gone(router)


@pytest.mark.parametrize(
    "rest", [b"GET / HT", b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 9\r\n\r\nabc", b"\r\n", b"\r"]
)
async def test_a_half_closed_client_is_not_waited_for(router: InProcess, origin: Origin, rest: bytes) -> None:
    reader, writer = await router.connect()
    writer.write(GET + rest)
    writer.write_eof()
    assert (await read_message(reader)).status == 200
    assert await reader.read() == b""
    writer.close()
    await gone(router)
    assert len(origin.requests) == 1


async def test_early_bytes_of_an_upgrade_do_not_stop_the_tunnel(router: InProcess, make_origin: MakeOrigin) -> None:
    size = 400_000
    go = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        await go.wait()
        writer.write(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        writer.write(b"%d" % len(await reader.readexactly(size)))

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + b"e" * size)
    async with asyncio.timeout(10):
        while all(client.describe()["reads"] for client in router.edge.clients):
            await asyncio.sleep(0.01)
    go.set()
    assert (await read_message(reader, bodiless=True)).status == 101
    assert await reader.readexactly(6) == b"%d" % size
    writer.close()


async def test_blank_lines_do_not_keep_a_connection_alive(make_router: MakeRouter) -> None:
    router = await make_router(head_s=0.3)
    reader, writer = await router.connect()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            while not reader.at_eof():
                for piece in (b"\r", b"\n"):
                    writer.write(piece)
                    await asyncio.sleep(0.05)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.001):
                            await reader.read(1000)
    writer.close()
    await gone(router)


async def test_a_body_in_tiny_pieces_waits_boundedly_for_its_connection(make_router: MakeRouter) -> None:
    router = await make_router(connect_s=5)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        filler = socket.create_connection(full.getsockname())
        router.put(route("app.test"), endpoints("rel_1", f"tcp:127.0.0.1:{full.getsockname()[1]}"))
        _, writer = await router.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000000\r\n\r\n")
        (client,) = await one_client(router)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                while client.describe()["reads"]:
                    writer.write(b"x" * 20_000)
                    await asyncio.sleep(0.001)
        assert not client.describe()["reads"]
        assert sum(map(len, client.held)) < 300_000
        reset(writer)
        filler.close()
    await gone(router)


async def test_an_old_client_sees_no_coding_even_where_there_is_no_body(router: InProcess, origin: Origin) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n"
    head = await router.talk(b"HEAD / HTTP/1.0\r\nHost: app.test\r\n\r\n")
    assert b"ransfer-" not in head
    assert b"\r\nX: 1\r\n" in head


async def test_an_answer_that_ends_with_its_connection_is_whole_though_the_upload_is_not(
    router: InProcess, make_origin: MakeOrigin
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.3)  # the router has more to send than the kernel takes
        writer.write(b"HTTP/1.1 413 X\r\nConnection: close\r\n\r\ntoo much")
        writer.write_eof()
        await asyncio.sleep(30)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 20_000_000)
    answer = await read_message(reader)
    assert (answer.status, answer.body) == (413, b"too much")
    writer.close()


async def test_a_slow_upload_behind_an_early_answer_is_read_to_its_end(
    router: InProcess, make_origin: MakeOrigin
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 X\r\nContent-Length: 3\r\n\r\nbig")
        await reader.read()

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(30):  # longer than an idle one would be read
        writer.write(b"x" * 1000)
        await asyncio.sleep(0.1)
    assert router.edge.clients
    assert (await read_message(reader)).body == b"big"
    writer.close()
    await gone(router)


@pytest.mark.parametrize(("hops", "seen"), [("0", None), ("1", "0"), ("9", "8")])
async def test_options_goes_only_as_far_as_it_may(
    router: InProcess, origin: Origin, hops: str, seen: str | None
) -> None:
    reader, writer = await router.connect()
    writer.write(f"OPTIONS /x HTTP/1.1\r\nHost: app.test\r\nMax-Forwards: {hops}\r\n\r\n".encode() + GET)
    assert (await read_message(reader)).status == 200
    assert json.loads((await read_message(reader)).body)["first"] == "GET / HTTP/1.1"
    assert [r["max-forwards"] for r in origin.requests if r.first.startswith("OPTIONS")] == ([seen] if seen else [])
    writer.close()
