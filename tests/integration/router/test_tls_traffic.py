"""Bodies, ends and tunnels over TLS."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.integration.router.tls_wire import Authority, HandTls, ask, blocking, connect
from tests.integration.router.wire import LIMIT_S, InProcess, Origin, read_message, route

GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
SIZE = 3_000_000
BODY = hashlib.sha256(b"x").digest() * (SIZE // 32)


async def test_large_bodies_pass_both_ways(tls: InProcess, authority: Authority, origin: Origin) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_message(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.body), request.body))

    origin.script = script
    reader, writer = await connect(tls, authority.client())
    head = b"POST / HTTP/1.1\r\nHost: app.test\r\n"
    for framed in (
        b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    ):
        writer.write(head + framed)
        assert (await read_message(reader)).body == BODY
    writer.close()


async def test_a_client_that_does_not_read_stops_the_app(tls: InProcess, authority: Authority, origin: Origin) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (20 * len(BODY)))
        for _ in range(20):
            writer.write(BODY)
            await writer.drain()
            origin.connections += 1

    origin.script = script
    client = await asyncio.to_thread(blocking, tls, authority.client())
    await asyncio.to_thread(client.sendall, GET)
    sizes = []
    for _ in range(10):
        await asyncio.sleep(0.05)
        sizes.append(max(c.transport.get_write_buffer_size() for c in tls.edge.clients))
    assert 0 < max(sizes) < 2_000_000
    assert origin.connections < 20

    def read_all() -> int:
        got = 0
        while got < 20 * len(BODY):
            piece = client.recv(2**20)
            assert piece
            got += len(piece)
        return got

    assert await asyncio.to_thread(read_all) >= 20 * len(BODY)
    client.close()


async def test_the_end_of_an_answer_without_length_is_clean_or_visibly_is_not(
    tls: InProcess, authority: Authority, origin: Origin
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = b"whole" in (await read_message(reader)).raw
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"" if whole else b"Content-Length: 99\r\n") + b"\r\nsome")
        await writer.drain()

    origin.script = script
    context = authority.client()

    def visit(path: bytes) -> bytes:
        with blocking(tls, context, suppress_ragged_eofs=False) as client:
            client.sendall(b"GET /%b HTTP/1.0\r\nHost: app.test\r\n\r\n" % path)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer

    assert (await asyncio.to_thread(visit, b"whole")).endswith(b"\r\n\r\nsome")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.to_thread(visit, b"half")


@pytest.fixture
def slow(origin: Origin) -> asyncio.Event:
    """Makes the origin answer when this event is set."""
    go = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        origin.requests.append(await read_message(reader))
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    origin.script = script
    return go


async def ask_by_hand(tls: InProcess, authority: Authority, origin: Origin) -> HandTls:
    """A client whose request has reached the origin."""
    client = HandTls(authority.client())
    await client.connect(tls.tls_port)
    client.secured.write(GET)
    client.send()
    async with asyncio.timeout(LIMIT_S):
        while not origin.requests:
            await asyncio.sleep(0.01)
    return client


async def test_a_client_that_has_said_goodbye_gets_its_answer(
    tls: InProcess, authority: Authority, origin: Origin, slow: asyncio.Event
) -> None:
    client = await ask_by_hand(tls, authority, origin)
    client.say_goodbye()
    client.cut_off()
    await asyncio.sleep(0.05)
    slow.set()
    assert (await client.read_all()).endswith(b"late")
    client.writer.close()


async def test_a_client_that_is_cut_off_has_gone(
    tls: InProcess, authority: Authority, origin: Origin, slow: asyncio.Event
) -> None:
    client = await ask_by_hand(tls, authority, origin)
    client.cut_off()
    with pytest.raises(ssl.SSLError):
        await client.read_all()
    assert tls.edge.metrics.aborted == 1
    slow.set()
    client.writer.close()


async def test_a_broken_record_ends_the_connection_with_an_alert(tls: InProcess, authority: Authority) -> None:
    client = HandTls(authority.client())
    await client.connect(tls.tls_port)
    client.writer.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
        await client.read_all()
    assert not tls.edge.clients
    client.writer.close()


async def test_half_a_tunnel_stays_open(tls: InProcess, authority: Authority, origin: Origin) -> None:
    got = asyncio.get_running_loop().create_future()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nbye")
        writer.write_eof()
        got.set_result(await reader.read())

    origin.script = script
    client = HandTls(authority.client())
    await client.connect(tls.tls_port)
    client.secured.write(GET[:-2] + b"Connection: upgrade\r\nUpgrade: echo\r\n\r\n")
    client.send()
    assert (await client.read_all()).endswith(b"\r\n\r\nbye")
    client.secured.write(b"still here")
    client.say_goodbye()
    assert await asyncio.wait_for(got, LIMIT_S) == b"still here"
    client.writer.close()


async def test_a_tunnel_over_tls_relays_until_both_sides_have_ended(
    tls: InProcess, authority: Authority, origin: Origin
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        while data := await reader.read(65536):
            writer.write(data)
        writer.write(b"bye")
        writer.write_eof()

    origin.script = script
    reader, writer = await connect(tls, authority.client())
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b"101" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT_S)
    assert await reader.readexactly(5) == b"hello"
    for piece in (b"x", BODY):
        writer.write(piece)
        assert await asyncio.wait_for(reader.readexactly(len(piece)), LIMIT_S) == piece
    assert len(tls.edge.tunnels) == 1
    writer.close()
    async with asyncio.timeout(LIMIT_S):
        while tls.edge.tunnels:
            await asyncio.sleep(0.01)


async def test_curl_is_served(tls: InProcess, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(BODY)
    port = tls.tls_port
    curl = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "--max-time", "10", "--cacert", str(authority.path), "-w", "%{http_code} %{num_connects} "),
        *("--connect-to", f"app.test:443:127.0.0.1:{port}", "-T", str(tmp_path / "up"), "-o", str(tmp_path / "one")),
        *("https://app.test/a", "-o", str(tmp_path / "two"), "https://app.test/b"),
        stdout=subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(curl.communicate(), LIMIT_S)
    assert out == b"200 1 200 0 "
    assert json.loads((tmp_path / "one").read_bytes())["size"] == len(BODY)


async def test_rules_know_that_a_client_came_by_https(tls: InProcess, authority: Authority) -> None:
    tls.put(route("app.test", rules={"https": {"redirect": True, "hsts_s": 60}}))
    assert (await tls.ask(GET)).status == 308
    answer = await ask(tls, authority.client())
    assert (answer.status, answer["strict-transport-security"]) == (200, "max-age=60")


async def test_pipelined_requests_are_answered_in_order(tls: InProcess, authority: Authority, origin: Origin) -> None:
    reader, writer = await connect(tls, authority.client())
    writer.write(b"".join(GET.replace(b"/ ", b"/%d " % number) for number in range(50)))
    for number in range(50):
        assert json.loads((await read_message(reader)).body)["first"] == f"GET /{number} HTTP/1.1"
    writer.close()


async def test_a_drain_says_goodbye(tls: InProcess, authority: Authority) -> None:
    client = HandTls(authority.client())
    await client.connect(tls.tls_port)
    async with asyncio.timeout(LIMIT_S):
        while not tls.edge.clients:
            await asyncio.sleep(0.01)
    tls.edge.draining = True
    for one in list(tls.edge.clients):
        one.retire()
    assert await client.read_all() == b""  # an end, and a clean one
    client.writer.close()
