"""What RFC 9110 and 9112 ask of an intermediary for answers, 100 (Continue), streams and upgrades."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.router.wire import InProcess, Origin, endpoints, read_message

MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def head(first: str, *lines: str, host: str = "app.test") -> bytes:
    return "\r\n".join([first, f"Host: {host}", *lines, "", ""]).encode("latin-1")


# --- answers ---------------------------------------------------------------------------------------------------------


def said(first: str, *lines: str, body: str = "") -> bytes:
    """An app's answer."""
    return ("\r\n".join([first, *lines, "", ""]) + body).encode("latin-1")


SIZED = "Content-Length: 2"
CODED = "Transfer-Encoding: chunked"
CHUNKS = "2\r\nok\r\n0\r\n\r\n"
HINTS = "HTTP/1.1 103 E\r\nLink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n"
UP = ("Upgrade: a/1", "Connection: upgrade", "Content-Length: 0")
# (the app's answer, the method, the client's header lines but those of the router's own, the body)
ANSWERS: list[tuple[bytes, str, dict[str, str], bytes]] = [
    (said("HTTP/1.1 200", SIZED, body="ok"), "GET", {"content-length": "2"}, b"ok"),
    (said("HTTP/1.1 200 \xe9\t!", "Content-Length: 02", body="ok"), "GET", {"content-length": "02"}, b"ok"),
    (said("HTTP/1.1 404 No", CODED, body=CHUNKS), "GET", {"transfer-encoding": "chunked"}, b"ok"),
    (said("HTTP/1.1 200 OK", CODED), "HEAD", {"transfer-encoding": "chunked"}, b""),
    (said("HTTP/1.1 200 OK", "Content-Length: 9"), "HEAD", {"content-length": "9"}, b""),
    (said("HTTP/1.1 200 OK"), "HEAD", {}, b""),
    (said("HTTP/1.1 304 X", "Content-Length: 9", "ETag: a"), "GET", {"content-length": "9", "etag": "a"}, b""),
    (said("HTTP/1.1 304 X", CODED), "GET", {"transfer-encoding": "chunked"}, b""),
    (said("HTTP/1.1 204 X", "Content-Length: 0", "X: 1"), "GET", {"x": "1"}, b""),
    (said("HTTP/1.1 205 X", "Content-Length: 0"), "GET", {"content-length": "0"}, b""),
    (
        said("HTTP/1.1 200 OK", "X:", "A: 1", "X: ", "A: 2", SIZED, body="ok"),
        "GET",
        {"x": ", ", "a": "1, 2", "content-length": "2"},
        b"ok",
    ),
    (
        said("HTTP/1.0 200 OK", "Connection: keep-alive", "Keep-Alive: timeout=5", SIZED, body="ok"),
        "GET",
        {"content-length": "2"},
        b"ok",
    ),
    (said("HTTP/1.1 426 X", *UP), "GET", {"upgrade": "a/1", "connection": "upgrade", "content-length": "0"}, b""),
    (
        said("HTTP/1.1 200 OK", "Via: 1.1 app", "Trailer: X", SIZED, body="ok"),
        "GET",
        {"via": "1.1 app", "trailer": "X", "content-length": "2"},
        b"ok",
    ),
    (said(HINTS + "HTTP/1.1 200 OK", SIZED, body="ok"), "GET", {"content-length": "2"}, b"ok"),
]
OWN = {"date", "x-request-id", "server-timing"}


@pytest.mark.parametrize(("answered", "method", "headers", "body"), ANSWERS)
async def test_an_answer_reaches_its_client_and_the_connection_goes_on(
    router: InProcess, origin: Origin, answered: bytes, method: str, headers: dict[str, str], body: bytes
) -> None:
    origin.answer = answered
    reader, writer = await router.connect()
    for _ in range(2):
        writer.write(head(f"{method} / HTTP/1.1"))
        answer = await read_message(reader, bodiless=method == "HEAD")
        while answer.status < 200:
            answer = await read_message(reader)
        assert answer.body == body
        assert answer["date"].endswith(" GMT")
        assert len(answer["x-request-id"]) == 32
        assert {name: answer[name] for name, _ in answer.headers if name not in OWN} == headers
    assert origin.connections == 1
    writer.close()


@pytest.mark.parametrize(("answered", "method", "headers", "body"), ANSWERS)
@pytest.mark.parametrize("keep", [False, True])
async def test_an_old_client_understands_every_answer(
    router: InProcess, origin: Origin, answered: bytes, method: str, headers: dict[str, str], body: bytes, keep: bool
) -> None:
    origin.answer = answered
    wish = ("Connection: keep-alive",) if keep else ()
    reader, writer = await router.connect()
    writer.write(head(f"{method} / HTTP/1.0", *wish))
    answer = await read_message(reader, bodiless=method == "HEAD")
    assert answer.status >= 200
    assert answer.body == body
    assert not answer["transfer-encoding"]
    if answer["connection"].endswith("keep-alive"):
        assert keep
        writer.write(head(f"{method} / HTTP/1.0", *wish))
        assert (await read_message(reader, bodiless=method == "HEAD")).body == body
    else:
        assert "close" in answer["connection"]
        assert await reader.read() == b""
    writer.close()


async def test_a_date_that_is_there_stays(router: InProcess, origin: Origin) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 0\r\n\r\n"
    assert (await router.ask(GET))["date"] == "Tue, 15 Nov 1994 08:12:31 GMT"


# --- 100 (Continue) --------------------------------------------------------------------------------------------------

EXPECTS = ("Content-Length: 5", "Expect: 100-Continue")


async def test_a_client_that_does_not_wait_for_100_is_served(router: InProcess, origin: Origin) -> None:
    assert (await router.ask(head("POST / HTTP/1.1", *EXPECTS) + b"hello")).status == 200
    assert origin.requests[0].body == b"hello"


async def test_an_old_client_neither_expects_nor_gets_a_100(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        asked = await read_message(reader)
        assert not asked["expect"]
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    raw = await router.talk(head("POST / HTTP/1.0", *EXPECTS) + b"hello")
    assert raw.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("host", ["nowhere.test", "app.test"])
async def test_who_expects_a_100_may_get_a_final_answer_instead(
    router: InProcess, make_origin: MakeOrigin, host: str
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
        await reader.read()

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    raw = await router.talk(head("POST / HTTP/1.1", *EXPECTS, host=host))
    assert raw.startswith(b"HTTP/1.1 40")
    assert b"\r\nConnection: close\r\n" in raw


# --- streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked\r\n", b""])
async def test_events_arrive_one_by_one(router: InProcess, make_origin: MakeOrigin, framing: bytes) -> None:
    heard = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing + b"\r\n")
        for n in range(3):
            event = b"data: %d\n\n" % n
            writer.write(b"%x\r\n%b\r\n" % (len(event), event) if framing else event)
            await heard.wait()
            heard.clear()
        writer.write(b"0\r\n\r\n" if framing else b"")

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\n")
    for n in range(3):
        assert await reader.readuntil(b"\n\n\r\n") == b"9\r\ndata: %d\n\n\r\n" % n
        heard.set()
    assert await reader.readexactly(5) == b"0\r\n\r\n"
    writer.close()


async def test_an_upload_streams_before_it_is_whole(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(3):
            assert await reader.readexactly(6) == b"1\r\nx\r\n"
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        assert await reader.readexactly(5) == b"0\r\n\r\n"
        writer.write(OK)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(head("POST / HTTP/1.1", "Transfer-Encoding: chunked"))
    for _ in range(3):
        writer.write(b"1\r\nx\r\n")
        assert (await read_message(reader)).status == 102
    writer.write(b"0\r\n\r\n")
    assert (await read_message(reader)).body == b"ok"
    writer.close()


# --- upgrades --------------------------------------------------------------------------------------------------------

UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


@pytest.mark.parametrize("answered", [OK, said("HTTP/1.1 426 X", *UP)], ids=["200", "426"])
async def test_a_refused_upgrade_leaves_a_connection_as_good_as_any(
    router: InProcess, origin: Origin, answered: bytes
) -> None:
    origin.answer = answered
    reader, writer = await router.connect()
    writer.write(head("GET /ws HTTP/1.1", *UPGRADE) + head("GET /next HTTP/1.1"))
    first, second = await read_message(reader), await read_message(reader)
    assert first.status == second.status == int(answered[9:12])
    assert origin.requests[0]["upgrade"] == "websocket"
    assert (origin.requests[1].first, origin.requests[1]["upgrade"]) == ("GET /next HTTP/1.1", "")
    assert origin.connections == 1
    writer.close()


async def test_an_upgrade_with_a_body_is_a_plain_request(router: InProcess, origin: Origin) -> None:
    assert (await router.ask(head("POST / HTTP/1.1", *UPGRADE, "Content-Length: 5") + b"hello")).status == 200
    assert (origin.requests[0]["upgrade"], origin.requests[0].body) == ("", b"hello")


async def test_a_tunnel_carries_what_looks_like_http_untouched(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
        while data := await reader.read(1000):
            writer.write(data)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await router.connect()
    writer.write(head("GET / HTTP/1.1", *UPGRADE))
    answer = await read_message(reader)
    assert (answer.status, answer["sec-websocket-accept"]) == (101, "x")
    for raw in (GET, b"\r\n\r\n", b"\x00\xff" * 9, b"GET / HTTP/1.1\r\nHost : bad\r\n\r\n"):
        writer.write(raw)
        assert await reader.readexactly(len(raw)) == raw
    writer.close()
