"""WebSocket through the router, in the families of the Autobahn suite: what comes back is what the app itself gives.

Each case is a script of raw frames, so that broken ones can be sent too. It is played to an aiohttp server three times:
directly, through the router, and through the router in small writes; all three have to get the same bytes to the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import chain

import aiohttp
import pytest
from aiohttp import web

from kernel.tasks import spawn
from tests.integration.router.wire import LIMIT_S, InProcess, Origin, endpoints, read_message

MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
MASK = b"\x5a\x11\x3c\xe7"
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
ASKED = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", *ASKED)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


def frame(code: int, payload: bytes = b"", last: bool = True, flags: int = 0, masked: bool = True) -> bytes:
    """A client's frame (RFC 6455, section 5.2)."""
    size = len(payload)
    first = bytes(((0x80 if last else 0) | flags | code,))
    bit = 0x80 if masked else 0
    if size < 126:
        length = bytes((bit | size,))
    elif size < 65_536:
        length = bytes((bit | 126,)) + struct.pack(">H", size)
    else:
        length = bytes((bit | 127,)) + struct.pack(">Q", size)
    if not masked:
        return first + length + payload
    key = int.from_bytes((MASK * (size // 4 + 1))[:size], "big")
    return first + length + MASK + (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


def bye(code: int = 1000, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, struct.pack(">H", code) + reason)


def packed(payload: bytes) -> bytes:
    """As permessage-deflate sends it (RFC 7692, section 7.2.1)."""
    made = zlib.compressobj(wbits=-15)
    return (made.compress(payload) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


SIZES = (0, 1, 125, 126, 127, 128, 65_535, 65_536, 1_000_000)
PARTED = frame(TEXT, b"a", last=False) + frame(CONT, b"b", last=False) + frame(CONT, b"c")
# name: what the client sends; the app echoes messages and answers what is wrong with a close of its own.
CASES: dict[str, bytes] = {
    **{f"text of {size}": frame(TEXT, b"t" * size) + bye() for size in SIZES},
    **{f"binary of {size}": frame(BINARY, b"\xfe" * size) + bye() for size in SIZES},
    "many small messages": frame(TEXT, b"m" * 64) * 2000 + bye(),
    "pings of every size": b"".join(frame(PING, b"p" * size) for size in (0, 1, 125)) + bye(),
    "a flood of pings": frame(PING, b"ping") * 5000 + bye(),
    "pongs unasked": frame(PONG, b"x") * 10 + frame(TEXT, b"on") + bye(),
    "a ping that is too long": frame(PING, b"p" * 126),
    "fragments": PARTED + bye(),
    "a message of a thousand fragments": frame(TEXT, b"f", last=False)
    + frame(CONT, b"f", last=False) * 1000
    + frame(CONT)
    + bye(),
    "pings between fragments": frame(TEXT, b"a", last=False) + frame(PING, b"in") + frame(CONT, b"b") + bye(),
    "a close between fragments": frame(TEXT, b"a", last=False) + bye(),
    "a ping in fragments": frame(PING, b"a", last=False) + frame(CONT, b"b"),
    "a continuation of nothing": frame(CONT, b"a"),
    "a message within a message": frame(TEXT, b"a", last=False) + frame(TEXT, b"b"),
    "letters of many bytes": frame(TEXT, "κόσμε, 𝄞".encode()) + bye(),
    "a letter across fragments": frame(TEXT, b"\xce", last=False) + frame(CONT, b"\xba") + bye(),
    "text that is none": frame(TEXT, b"\xce\xba\xed\xa0\x80"),
    **{f"reserved bits {bits:#x}": frame(TEXT, b"a", flags=bits) for bits in (0x40, 0x20, 0x10, 0x70)},
    **{f"reserved opcode {code}": frame(code, b"a") for code in (3, 7, 11, 15)},
    "not masked": frame(TEXT, b"a", masked=False) + bye(),
    **{f"close {code}": bye(code, b"why") for code in (1000, 1001, 1003, 1007, 1011, 3000, 4999)},
    **{f"close {code}, which nobody may send": bye(code) for code in (0, 999, 1004, 1005, 1006, 1016, 2999)},
    "close without a code": frame(CLOSE),
    "close with half a code": frame(CLOSE, b"\x03"),
    "close with a long reason": bye(1000, b"r" * 123),
    "close with a reason that is none": bye(1000, b"\xff"),
    "a close and more behind it": bye() + frame(TEXT, b"late"),
    "the app closes first": frame(TEXT, b"bye") + bye(4001),
    "the app closes first, in a flood": frame(TEXT, b"bye") + frame(BINARY, b"x" * 1000) * 500 + bye(4001),
    "no frame at all": b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
}
ZZ = packed(b"zz")
SQUEEZED: dict[str, bytes] = {
    **{f"deflated {size}": frame(TEXT, packed(b"z" * size), flags=0x40) + bye() for size in SIZES},
    "deflated fragments": frame(TEXT, packed(b"zz")[:3], last=False, flags=0x40)
    + frame(CONT, packed(b"zz")[3:])
    + bye(),
    "plain among deflated": frame(TEXT, packed(b"z"), flags=0x40) + frame(TEXT, b"plain") + bye(),
    "deflated, and broken": frame(TEXT, b"\xff\xff\xff", flags=0x40),
}


async def echo(request: web.Request) -> web.WebSocketResponse:
    made = web.WebSocketResponse(max_msg_size=2**23)
    await made.prepare(request)
    async for message in made:
        if message.type is aiohttp.WSMsgType.TEXT and message.data == "bye":
            await made.close(code=4001, message=b"enough")
        elif message.type is aiohttp.WSMsgType.TEXT:
            await made.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await made.send_bytes(message.data)
    return made


@pytest.fixture
async def app(router: InProcess) -> AsyncIterator[int]:
    """The port of an aiohttp server, which is behind the router."""
    made = web.Application()
    made.router.add_get("/ws", echo)
    runner = web.AppRunner(made)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    router.put(endpoints("rel_1", f"tcp:127.0.0.1:{port}"))
    yield port
    await runner.cleanup()


def head(*lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join((f"{method} /ws HTTP/{version}", "Host: app.test", *lines, "", "")).encode()


async def hear(reader: Reader, heard: bytearray) -> None:
    """Reads to the end; an app that closes before it has read all resets the connection behind its last word."""
    with contextlib.suppress(ConnectionResetError):
        while data := await reader.read(2**20):
            heard += data


async def play(port: int, sent: bytes, piece: int = 0, more: tuple[str, ...] = ()) -> bytes:
    """Upgrades and sends, in pieces where there is a size for them; returns all that comes behind the 101."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**23)
    writer.write(head(*UPGRADE, *more))
    assert (await read_message(reader)).status == 101
    heard, piece = bytearray(), piece or len(sent)
    hearing = spawn(hear(reader, heard), "test.hear")
    async with asyncio.timeout(LIMIT_S):
        for at in range(0, len(sent), piece):
            if writer.is_closing():
                break
            writer.write(sent[at : at + piece])
            await asyncio.sleep(0)
        await hearing
    writer.close()
    return bytes(heard)


@pytest.mark.parametrize(
    ("sent", "more"),
    [*((sent, ()) for sent in CASES.values()), *((sent, (DEFLATE,)) for sent in SQUEEZED.values())],
    ids=list(chain(CASES, SQUEEZED)),
)
async def test_what_comes_back_is_what_the_app_gives(
    router: InProcess, app: int, sent: bytes, more: tuple[str, ...]
) -> None:
    expected = await play(app, sent, more=more)
    assert expected
    assert await play(router.port, sent, more=more) == expected
    piece = 1 if len(sent) < 2_000 else len(sent) // 500
    assert await play(router.port, sent, piece, more) == expected
    async with asyncio.timeout(LIMIT_S):
        while router.edge.tunnels or router.edge.clients:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("first", ["client", "app"])
async def test_half_of_a_tunnel_closes_alone(router: InProcess, make_origin: MakeOrigin, first: str) -> None:
    """Whoever has said that it ends goes on to hear all that the other has to say."""
    heard: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        if first == "client":
            heard.append(await reader.read())
            writer.write(b"x" * 1_000_000)
        else:
            writer.write_eof()
            heard.append(await reader.read())

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(head(*UPGRADE))
    assert (await read_message(reader)).status == 101
    async with asyncio.timeout(LIMIT_S):
        if first == "client":
            writer.write(b"last")
            writer.write_eof()
            assert len(await reader.read()) == 1_000_000
        else:
            assert await reader.read() == b""
            writer.write(b"y" * 1_000_000)
            writer.write_eof()
        while router.edge.tunnels:
            await asyncio.sleep(0.005)
    assert len(heard[0]) == (4 if first == "client" else 1_000_000)
    writer.close()


# (the request's lines, its method and version, what the app is told to upgrade to)
ASKS: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "as browsers do": (("Connection: keep-alive, Upgrade", "Upgrade: websocket"), "GET", "1.1", "websocket"),
    "in other letters": (("CONNECTION: uPGRADE", "UPGRADE: WebSocket"), "GET", "1.1", "WebSocket"),
    "in two lines": (
        ("Connection: keep-alive", "Upgrade: websocket", "Connection: upgrade"),
        "GET",
        "1.1",
        "websocket",
    ),
    "by another method": (("Connection: upgrade", "Upgrade: x/1"), "DELETE", "1.1", "x/1"),
    "without Connection": (("Upgrade: websocket",), "GET", "1.1", ""),
    "with another Connection": (("Connection: keep-alive", "Upgrade: websocket"), "GET", "1.1", ""),
    "without Upgrade": (("Connection: Upgrade",), "GET", "1.1", ""),
    "with an empty Upgrade": (("Connection: Upgrade", "Upgrade:"), "GET", "1.1", ""),
    "in HTTP/1.0": (("Connection: Upgrade", "Upgrade: websocket"), "GET", "1.0", ""),
    "to h2c": (("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), "GET", "1.1", ""),
    "to h2c among others": (("Connection: Upgrade", "Upgrade: websocket, H2C"), "GET", "1.1", ""),
    "with a body": (("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 2"), "POST", "1.1", ""),
    "with chunks": (("Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked"), "POST", "1.1", ""),
}


@pytest.mark.parametrize(("lines", "method", "version", "told"), ASKS.values(), ids=ASKS)
async def test_what_the_app_is_asked_to_upgrade_to(
    router: InProcess, origin: Origin, lines: tuple[str, ...], method: str, version: str, told: str
) -> None:
    body = b"2\r\nhi\r\n0\r\n\r\n" if "chunked" in lines[-1] else b"hi" if method == "POST" else b""
    answer = await router.ask(head(*lines, method=method, version=version) + body)
    assert answer.status == 200
    (seen,) = origin.requests
    assert (seen["upgrade"], seen["http2-settings"]) == (told, "")
    assert ("upgrade" in seen["connection"].lower()) == bool(told)
    assert seen.body == (b"hi" if body else b"")


@pytest.mark.parametrize("status", [b"200 OK", b"403 Forbidden", b"426 Upgrade Required", b"503 Busy"])
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 4\r\n\r\nbody", b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"]
)
async def test_a_refused_handshake_reaches_its_client_whole(
    router: InProcess, origin: Origin, status: bytes, framing: bytes
) -> None:
    """And the next request of the connection is one, whatever was sent before the refusal was read."""
    origin.answer = b"HTTP/1.1 " + status + b"\r\n" + framing
    reader, writer = await router.connect()
    for _ in range(2):
        writer.write(head(*UPGRADE))
        answer = await read_message(reader)
        assert (answer.status, answer.body) == (int(status[:3]), b"body")
    writer.close()
    assert not router.edge.tunnels
    assert origin.connections == 1
