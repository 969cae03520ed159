"""Apps that break every rule: whoever asks gets his own answer, an error, or a clean end, and never another's bytes.

Every request names a marker of its own. Honest answers carry it; whatever an app sends beside what it was asked for
carries POISON. Clients pipeline, so that the next request is on its way when an answer goes wrong.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.integration.router.wire import InProcess, Message, Origin, endpoints, read_message, reset, route

MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")


def ask(path: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: app.test", *lines, "", ""]).encode()


def honest(marker: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Marker: %b\r\n\r\n%b" % (len(marker), marker, marker)


def chunked(marker: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(marker), marker)


class Evil:
    """Answers honestly what is under /good; anything else as the test says, and then goes on or ends."""

    def __init__(self, act: Callable[[Message, bytes, Writer], bool]) -> None:
        self._act = act

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        while True:
            request = await read_message(reader)
            marker = request.first.split(" ")[1].encode()
            if marker.startswith(b"/good"):
                writer.write(honest(marker))
            elif not self._act(request, marker, writer):
                return


async def converse(router: InProcess, *asks: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Pipelines requests, the last of which closes; returns the whole answers and what came behind them."""
    reader, writer = await router.connect()
    writer.write(b"".join(asks))
    raw = b""
    async with asyncio.timeout(15):
        try:
            while data := await reader.read(65536):
                raw += data
        except ConnectionError:
            pass
    writer.close()
    answers = []
    while match := STATUS.match(raw):
        end = raw.find(b"\r\n\r\n") + 4
        if end < 4:
            break
        status, head = int(match[1]), raw[:end].lower()
        sized = re.search(rb"\r\ncontent-length: ([0-9]+)\r", head)
        if b"\r\ntransfer-encoding: chunked\r" in head:
            stop = raw.find(b"\r\n0\r\n\r\n", end - 2)
            stop = stop + 7 if stop >= 0 else -1
        else:
            stop = end + (int(sized[1]) if sized and status not in (204, 304) else 0)
        if stop < 0 or stop > len(raw):
            break
        if status >= 200:
            answers.append((status, raw[:stop]))
        raw = raw[stop:]
    return answers, raw


def own(answers: list[tuple[int, bytes]], rest: bytes, *markers: bytes) -> None:
    """Every answer is its request's own or an error, in order; what broke off is its own beginning."""
    assert len(answers) <= len(markers)
    for (status, raw), marker in zip(answers, markers, strict=False):
        if status < 500:
            assert status in (204, 304) or marker in raw
        assert b"POISON" not in raw
        assert not [other for other in markers if other != marker and other in raw]
    assert b"POISON" not in rest
    at = len(answers)
    assert not [other for other in markers[:at] + markers[at + 1 :] if other in rest]


def descriptors() -> int:
    """How many this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
async def router(make_router: Callable[..., Awaitable[InProcess]], origin: Origin) -> InProcess:
    """A router that does not wait long for who promises more than he gives."""
    made = await make_router(answer_s=1, stream_s=1)
    made.put(route("app.test"), endpoints("rel_1", origin.address))
    return made


@pytest.fixture(autouse=True)
async def nothing_is_left(router: InProcess, caplog: pytest.LogCaptureFixture) -> object:
    """No connection, place or descriptor stays behind, and nothing unexpected was logged."""
    before = descriptors()
    yield None
    async with asyncio.timeout(10):
        while router.edge.clients or router.edge.in_flight or router.edge.tunnels:
            await asyncio.sleep(0.01)
    (endpoint,) = router.edge.table.releases["rel_1"].endpoints
    assert endpoint.in_flight == 0
    router.edge.retire([endpoint])
    async with asyncio.timeout(10):
        while descriptors() > before + 30:  # the origin's own end with the test
            await asyncio.sleep(0.05)
    assert not [r for r in caplog.records if r.name.startswith("router") and r.levelno >= logging.ERROR]


@pytest.mark.parametrize("make", [honest, chunked], ids=["sized", "chunked"])
@pytest.mark.parametrize("rude", [False, True], ids=["FIN", "RST"])
async def test_an_answer_cut_at_any_byte(router: InProcess, make_origin: MakeOrigin, make: object, rude: bool) -> None:
    def act(request: Message, marker: bytes, writer: Writer) -> bool:
        writer.write(make(marker)[: int(marker.rpartition(b"-")[2])])  # type: ignore[operator]
        if rude:
            reset(writer)
        return False

    router.put(endpoints("rel_1", (await make_origin(script=Evil(act))).address))
    whole = len(make(b"/evil-00"))  # type: ignore[operator]
    for cut in range(whole):
        markers = (b"/good/a", b"/evil-%02d" % cut, b"/good/b")
        answers, rest = await converse(
            router, *(ask(m.decode()) for m in markers[:2]), ask("/good/b", "Connection: close")
        )
        own(answers, rest, *markers)
        assert answers[0][0] == 200
        if rest or len(answers) == 1:
            assert len(answers) == 1  # broken off: nothing may follow
        else:
            assert [status for status, _ in answers] == [200, 502, 200]


CODED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
LIES: dict[str, Callable[[bytes], bytes]] = {
    "more than it said": lambda m: honest(m) + POISON,
    "more than its chunks": lambda m: chunked(m) + POISON,
    "less than it said": lambda m: honest(m).replace(b"Length: ", b"Length: 9"),
    "garbage": lambda m: b"POISON\r\n\r\n" + m,
    "nothing but zeros": lambda m: b"\0" * 5000,
    "both framings": lambda m: CODED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + POISON,
    "two lengths": lambda m: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 45\r\n\r\n" + POISON,
    "a list of lengths": lambda m: b"HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n" + POISON,
    "a signed length": lambda m: b"HTTP/1.1 200 OK\r\nContent-Length: +0\r\n\r\n" + POISON,
    "an endless length": lambda m: b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n" + m,
    "another coding": lambda m: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + POISON,
    "two codings": lambda m: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + POISON,
    "chunks in HTTP/1.0": lambda m: b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + POISON,
    "a chunk too long": lambda m: CODED + b"\r\n3\r\n" + m + b"X\r\n",
    "a chunk of giants": lambda m: CODED + b"\r\nffffffffffffffff\r\n" + m,
    "a signed chunk": lambda m: CODED + b"\r\n-1\r\n" + m,
    "chunks that end in LF": lambda m: CODED + b"\r\n0\n\n" + POISON,
    "a framing trailer": lambda m: CODED + b"\r\n0\r\nContent-Length: 1\r\n\r\n" + POISON,
    "a folded header": lambda m: b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n" + POISON,
    "a header with a space": lambda m: b"HTTP/1.1 200 OK\r\nContent-Length : 45\r\n\r\n" + POISON,
    "a bare LF": lambda m: b"HTTP/1.1 200 OK\nContent-Length: 0\n\n" + POISON,
    "a bare CR": lambda m: b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 45\r\n\r\n" + POISON,
    "HTTP/2": lambda m: b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n" + POISON,
    "a status of four digits": lambda m: b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n" + POISON,
    "a body where none may be": lambda m: b"HTTP/1.1 204 No\r\nContent-Length: 45\r\n\r\n" + POISON,
    "a body that is not modified": lambda m: b"HTTP/1.1 304 No\r\nContent-Length: 45\r\n\r\n" + POISON,
    "a storm of 1xx": lambda m: b"HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n" * 1000 + honest(m),
    "an upgrade unasked": lambda m: b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + POISON,
    "endless headers": lambda m: b"HTTP/1.1 200 OK\r\n" + b"X-Endless: POISON\r\n" * 20_000,
    "an endless header": lambda m: b"HTTP/1.1 200 OK\r\nX: " + b"POISON" * 50_000,
    "an answer in one line": lambda m: b"POISON",
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("goes_on", [False, True], ids=["ends", "goes on"])
async def test_an_answer_that_lies(router: InProcess, make_origin: MakeOrigin, lie: str, goes_on: bool) -> None:
    def act(request: Message, marker: bytes, writer: Writer) -> bool:
        writer.write(LIES[lie](marker))
        return goes_on

    router.put(endpoints("rel_1", (await make_origin(script=Evil(act))).address))

    async def client(name: int) -> None:
        markers = [b"/good/%d-1" % name, b"/evil/%d-2" % name, b"/good/%d-3" % name, b"/evil/%d-4" % name]
        asks = [ask(m.decode()) for m in markers[:3]] + [ask(markers[3].decode(), "Connection: close")]
        answers, rest = await converse(router, *asks)
        own(answers, rest, *markers)
        assert answers[0][0] == 200

    await asyncio.gather(*(client(n) for n in range(4)))
    answers, rest = await converse(router, ask("/good/after", "Connection: close"))
    own(answers, rest, b"/good/after")
    assert not rest


async def test_an_app_that_speaks_before_it_is_asked(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        writer.write(honest(b"/first"))
        await writer.drain()
        await Evil(lambda *_: False)(reader, writer)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    for n in range(5):
        answers, rest = await converse(router, ask(f"/good/{n}", "Connection: close"))
        assert len(answers) == 1  # its own word for it, or an error; and the connection is not used again
        assert not rest


async def test_a_body_sent_in_answer_to_head(router: InProcess, make_origin: MakeOrigin) -> None:
    def act(request: Message, marker: bytes, writer: Writer) -> bool:
        writer.write(honest(marker))
        return True

    router.put(endpoints("rel_1", (await make_origin(script=Evil(act))).address))
    reader, writer = await router.connect()
    for n in range(3):
        writer.write(ask(f"/head/{n}", method="HEAD") + ask(f"/good/{n}"))
        assert (await read_message(reader, bodiless=True))["x-marker"] == f"/head/{n}"
        assert (await read_message(reader)).body == b"/good/%d" % n
    writer.close()


@pytest.mark.parametrize("at", ["head", "body", "answer"])
async def test_an_app_that_resets_under_an_upload(router: InProcess, make_origin: MakeOrigin, at: str) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if at == "body":
            await reader.readexactly(100_000)
        if at == "answer":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n/up")
            await writer.drain()
        reset(writer)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    answers, rest = await converse(
        router,
        ask("/up", "Content-Length: 3000000", method="POST") + b"u" * 3_000_000,
        ask("/good/next", "Connection: close"),
    )
    if at == "answer" and not answers:
        assert rest.startswith(b"HTTP/1.1 200 ") or not rest
    else:  # when the kernel's buffers took the whole upload before the reset came, the next request has its turn
        assert [status for status, _ in answers] in ([502], [502, 502])
    assert b"/good/next" not in rest
