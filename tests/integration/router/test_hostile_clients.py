"""Clients that vanish in every state of a request, or come by the hundred and dawdle: nothing is left of them.

The states are those of `MOVES` (core/request.py) and what lies between requests; each way to bring a request there is
ended by RST and by FIN. What is counted before must be so again: connections, places, tasks, sockets.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from kernel.tasks import spawn
from router.core.passwords import scrypt_text
from router.core.request import NAMES
from router.edge.static import StaticSites
from tests.integration.router.wire import InProcess, Origin, endpoints, read_message, reset, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


def ask(path: str, *lines: str, method: str = "GET", host: str = "app.test") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


async def silent(reader: Reader, writer: Writer) -> None:
    await reader.read()


async def stream(reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"5\r\nhello\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flood(reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def upgrade(reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    while data := await reader.read(1000):
        writer.write(data)


async def early(reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    await reader.read()


async def large(reader: Reader, writer: Writer) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n" % LARGE
    )
    writer.write(b"x" * LARGE)
    await writer.drain()


async def store(reader: Reader, writer: Writer) -> None:
    """An object store that lets its reader wait for a manifest, and gives it up."""
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(1)


LARGE = 20_000_000  # more than the kernel takes for a client that does not read
ACTS = {
    b"/silent": silent,
    b"/up": silent,
    b"/stream": stream,
    b"/flood": flood,
    b"/upgrade": upgrade,
    b"/early": early,
    b"/large": large,
}


async def app(reader: Reader, writer: Writer) -> None:
    """Answers, or does what the path says and ends."""
    while True:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        if path in ACTS:
            await ACTS[path](reader, writer)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


BASIC = "Authorization: Basic " + base64.b64encode(b"ann:a").decode()
UPGRADE = ("Connection: upgrade", "Upgrade: x")
# name: (what is sent, the phase that the request is in then, "" where there is none)
STATES = {
    "connected": (b"", ""),
    "a blank line": (b"\r", ""),
    "a beginning": (b"GET / HT", ""),
    "a head but for its end": (ask("/")[:-1], ""),
    "answered": (ask("/"), ""),
    "answered, and a beginning": (ask("/") + b"GET", ""),
    "refused, lingering": (b"GET /\0" + b"x" * 9000, ""),
    "dialling": (ask("/", host="full.test"), "DIAL"),
    "dialling, with a body": (ask("/", "Content-Length: 99", method="POST", host="full.test") + b"x", "DIAL"),
    "queueing": (ask("/", host="busy.test"), "DIAL"),
    "a password is checked": (ask("/", BASIC, host="shut.test"), ""),
    "sent": (ask("/silent"), "SENT"),
    "sent, and others behind": (ask("/silent") + ask("/") * 50, "SENT"),
    "sending": (ask("/up", "Content-Length: 99999999", method="POST") + b"x" * 500_000, "SENT"),
    "sending chunks": (ask("/up", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhel", "SENT"),
    "expecting": (ask("/up", "Content-Length: 9", "Expect: 100-continue", method="POST"), "SENT"),
    "answered early": (ask("/early", "Content-Length: 99999999", method="POST") + b"x" * 10_000, ""),
    "streaming": (ask("/stream"), "ANSWER"),
    "streaming, unread": (ask("/flood"), "ANSWER"),
    "a manifest is awaited": (ask("/", host="files.test"), "READ"),
    "from the cache, unread": (ask("/large", host="kept.test"), "LOCAL"),
    "local answers, unread": (ask("/", host="nowhere.test") * 60_000, ""),
    "upgraded": (ask("/upgrade", *UPGRADE), "TUNNEL"),
    "upgraded, and talking": (ask("/upgrade", *UPGRADE) + b"x" * 200_000, "TUNNEL"),
}


@pytest.fixture
async def router(make_router: MakeRouter, make_origin: MakeOrigin) -> AsyncIterator[InProcess]:
    """A router with a good app, one that accepts nothing, one that is busy for ever, one behind a password, a cache
    that has an answer, and an object store that does not answer."""
    silence = await make_origin(script=store)
    endpoint = f"http://127.0.0.1:{silence.port}"
    made = await make_router(connect_s=0.5, cache_memory=2 * LARGE, cache_object=LARGE, s3_endpoint=endpoint)
    made.edge.static = StaticSites(made.edge)
    origin = await make_origin(script=app)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        made.put(endpoints("rel_1", origin.address), endpoints("rel_busy", origin.address))
        made.put(endpoints("rel_full", f"tcp:127.0.0.1:{full.getsockname()[1]}"))
        made.put(route("app.test"), route("full.test", "rel_full"))
        made.put(route("busy.test", "rel_busy", rules={"concurrency": {"limit": 1, "queue_s": 3600}}))
        made.put(route("files.test", kind="static", manifest="releases/rel_1/manifest.json"))
        made.put(route("kept.test", rules={"cache": {}}))
        made.put(route("shut.test", rules={"basic_auth": {"users": {"ann": scrypt_text("a")}}}))
        assert len((await made.ask(ask("/large", host="kept.test"))).body) == LARGE
        _, busy = await made.connect()
        busy.write(ask("/silent", host="busy.test"))
        while not any(client.describe()["phase"] == "SENT" for client in made.edge.clients):
            await asyncio.sleep(0.01)
        yield made
        busy.close()
        await made.edge.static.close()
        for filler in fillers:
            filler.close()


def counts(router: InProcess) -> dict[str, int]:
    """Everything that must be as before."""
    edge = router.edge
    return {
        "clients": len(edge.clients),
        "tunnels": len(edge.tunnels),
        "in flight": edge.in_flight,
        "at instances": sum(e.in_flight for r in edge.table.releases.values() for e in r.endpoints),
        "waiting": edge.guard.lanes.waiting(),
        "checking": edge.guard.checking,
        "tasks": len([t for t in asyncio.all_tasks() if t.get_name().startswith("router.")]),
        "sockets": len(sockets_of(router)),
    }


def sockets_of(router: InProcess) -> list[str]:
    """Both ends of the router's connections, as what /proc/net/tcp says of each, or "reset" if it has left that table.

    Not all descriptors of the process: the threads of other tests' gRPC open and close some at any time.
    """
    edge = router.edge
    addresses = [e.address for r in edge.table.releases.values() for e in r.endpoints] + [edge.settings.s3_endpoint]
    ports = {f"{int(address.rpartition(':')[2]):04X}" for address in (f":{router.port}", *addresses) if address}
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    own = {row[9]: " ".join(row) for row in rows if not ports.isdisjoint((row[1][-4:], row[2][-4:]))}
    others = {row[9] for row in rows} - own.keys()
    for name, column in (("tcp6", 9), ("udp", 9), ("udp6", 9), ("unix", 6)):
        others |= {line.split()[column] for line in Path("/proc/self/net", name).read_text().splitlines()[1:]}
    mine = {str(one.stat().st_ino) for one in Path("/proc/self/fd").iterdir() if one.is_socket()}
    return [own.get(inode, "reset") for inode in mine - others]


async def settle(router: InProcess, before: dict[str, int]) -> None:
    """Waits until everything is as before; pooled connections are closed first."""
    now: dict[str, int] = {}
    for _ in range(500):
        for endpoint in [e for r in router.edge.table.releases.values() for e in r.endpoints]:
            for pooled in list(endpoint.idle):
                pooled.discard()
        now = counts(router)
        if all(now[name] <= before[name] for name in before):
            return
        await asyncio.sleep(0.02)
    assert now == before, sockets_of(router)


def phase_of(router: InProcess, port: int) -> object:
    """The phase of the request of the client with this port."""
    for client in router.edge.clients:
        if client.transport.get_extra_info("peername")[1] == port:
            return client.describe()["phase"]
    return "TUNNEL" if router.edge.tunnels else "GONE"


def hurry(router: InProcess) -> None:
    """Whoever has sent FIN may be half-closed and wait for his answer; his time is up now."""
    for client in router.edge.clients:
        if client.deadline and client.describe()["host"] != "busy.test":
            client.deadline = 0.001


def end(writer: Writer, how: str) -> None:
    if how == "RST":
        reset(writer)
    else:
        writer.transport.abort()  # unread bytes make the kernel send RST, otherwise it is FIN


@pytest.mark.parametrize("how", ["RST", "FIN"])
@pytest.mark.parametrize("state", STATES)
async def test_a_client_that_vanishes_leaves_nothing(
    router: InProcess, caplog: pytest.LogCaptureFixture, state: str, how: str
) -> None:
    raw, phase = STATES[state]
    before = counts(router)
    writers = []
    for _ in range(3):
        _, writer = await router.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(raw)
        writers.append(writer)
    async with asyncio.timeout(10):
        for writer in writers:
            port = writer.get_extra_info("sockname")[1]
            while phase and phase_of(router, port) != phase:
                await asyncio.sleep(0.005)
    await asyncio.sleep(0.03)
    for writer in writers:
        end(writer, how)
    if how == "FIN":
        hurry(router)
    await settle(router, before)
    assert not [r for r in caplog.records if r.name.startswith("router") and r.levelno >= logging.ERROR]
    reader, writer = await router.connect()
    writer.write(ask("/"))
    assert (await read_message(reader)).body == b"ok"
    writer.close()


def test_every_state_is_among_those_that_are_left() -> None:
    """Those in which a request can be found between two callbacks: DONE and LOST are none."""
    assert {phase for _, phase in STATES.values()} == {"", *NAMES} - {"DONE", "LOST"}


@pytest.mark.parametrize("drip", [b"GET / HTTP/1.1\r\nX: y", ask("/up", "Content-Length: 9", method="POST")])
async def test_hundreds_that_dawdle_do_not_keep_others_waiting(
    make_router: MakeRouter, make_origin: MakeOrigin, drip: bytes
) -> None:
    router = await make_router(head_s=1.5, body_s=1.5)
    router.put(endpoints("rel_1", (await make_origin(script=app)).address), route("app.test"))
    before = counts(router)
    crowd = [await router.connect() for _ in range(300)]

    async def dawdle() -> None:
        for n in range(len(drip)):
            for _, writer in crowd:
                writer.write(drip[n : n + 1])
            await asyncio.sleep(0.1 if n > len(drip) - 12 else 0)

    slow = spawn(dawdle(), "test.dawdle")
    reader, writer = await router.connect()
    for _ in range(200):
        writer.write(ask("/"))
        assert (await read_message(reader)).status == 200
    writer.close()
    answers = await asyncio.gather(*(read_message(reader) for reader, _ in crowd))
    assert {(a.status, a["x-shipoff-error"]) for a in answers} == {(408, "CLIENT_TIMEOUT")}
    await slow
    for _, writer in crowd:
        writer.close()
    await settle(router, before)


async def test_floods_of_headers_are_cut_at_the_limit(router: InProcess) -> None:
    before = counts(router)

    async def flood() -> int:
        reader, writer = await router.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n" + b"a: b\r\n" * 100_000)
        answer = await read_message(reader)
        writer.close()
        return answer.status

    assert set(await asyncio.gather(*(flood() for _ in range(50)))) == {431}
    await settle(router, before)


async def test_a_giant_chunk_is_streamed_and_never_held(router: InProcess) -> None:
    before = counts(router)
    _, writer = await router.connect()
    writer.write(ask("/up", "Transfer-Encoding: chunked", method="POST") + b"fffffffffffffff\r\n" + b"x" * 1_000_000)
    async with asyncio.timeout(10):
        while phase_of(router, writer.get_extra_info("sockname")[1]) != "SENT":
            await asyncio.sleep(0.01)
    reset(writer)
    await settle(router, before)
