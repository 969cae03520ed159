"""Apps that misbehave at each point of a request, and what their clients and their neighbours notice of it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from router.core.balance import Endpoint
from router.edge.taken import untaken
from tests.integration.router.wire import InProcess, Origin, endpoints, free_port, read_message, reset, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Script = Callable[[Reader, Writer], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def endpoint(router: InProcess, at: int = 0) -> Endpoint:
    return router.edge.table.releases["rel_1"].endpoints[at]


# --- what is sent again -----------------------------------------------------------------------------------------------


def closing_after_one(fresh: list[int]) -> Script:
    """An app that answers one request on each connection, and closes when the next one has arrived."""

    async def script(reader: Reader, writer: Writer) -> None:
        fresh.append(1)
        await read_message(reader)
        writer.write(OK)
        await read_message(reader)

    return script


@pytest.mark.parametrize(
    ("request_", "answer", "connections"),
    [
        (GET, 200, 2),
        (POST, 502, 1),
        (POST.replace(b"POST", b"PUT"), 200, 2),
        (POST.replace(b"Content", b"Idempotency-Key: 1\r\nContent"), 200, 2),
        (POST.replace(b"hello", b""), 502, 1),  # the rest comes later, see below
    ],
)
async def test_a_reused_connection_that_closes_is_replaced_for_what_can_be_done_twice(
    router: InProcess, make_origin: MakeOrigin, request_: bytes, answer: int, connections: int
) -> None:
    fresh: list[int] = []
    router.put(endpoints("rel_1", (await make_origin(script=closing_after_one(fresh))).address))
    await router.ask(GET)
    reader, writer = await router.connect()
    writer.write(request_)
    if request_.endswith(b"\r\n\r\n") and b"Content-Length: 5" in request_:
        await asyncio.sleep(0.05)
        writer.write(b"hello")
    assert (await read_message(reader)).status == answer
    writer.close()
    assert len(fresh) == connections


async def hand_over_closed(path: Path, ports: list[int]) -> asyncio.Server:
    """A dialer whose connections the app has closed before anything was sent."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\n")
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as it:
            accepted, _ = listener.accept()
            accepted.close()
            raw = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
            socket.send_fds(raw, [b"+"], [it.fileno()])
            raw.close()
        ports.append(1)
        writer.close()

    return await asyncio.start_unix_server(serve, path)


async def test_a_post_of_which_provably_nothing_was_taken_goes_to_another_instance(
    router: InProcess, origin: Origin, tmp_path: Path
) -> None:
    dialled: list[int] = []
    server = await hand_over_closed(tmp_path / "d.sock", dialled)
    router.put(endpoints("rel_1", f"dial:{tmp_path / 'd.sock'}", origin.address))
    for _ in range(20):
        assert (await router.ask(POST)).status == 200
    assert dialled
    assert [r.body for r in origin.requests] == [b"hello"] * 20
    server.close()


async def test_alone_such_an_instance_is_asked_once(router: InProcess, tmp_path: Path) -> None:
    dialled: list[int] = []
    server = await hand_over_closed(tmp_path / "d.sock", dialled)
    router.put(endpoints("rel_1", f"dial:{tmp_path / 'd.sock'}"))
    answer = await router.ask(POST)
    assert (answer.status, answer["x-shipoff-error"], dialled) == (502, "UPSTREAM_CLOSED", [1])
    server.close()


@pytest.mark.parametrize(
    ("read", "by_reset", "proved"), [(False, False, True), (True, False, False), (True, True, False)]
)
async def test_what_proves_that_nothing_was_taken(read: bool, by_reset: bool, proved: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as it:
        app, _ = listener.accept()
        it.setblocking(False)
        if not read:
            app.close()  # its FIN is here before we write
        it.send(b"request")
        if read:
            assert app.recv(100) == b"request"
            if by_reset:
                app.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            app.close()
        try:
            ended = it.recv(1) == b""
        except ConnectionResetError:
            ended = False
        assert ended is not by_reset
        assert untaken(it, 7, ended) is proved
        assert untaken(it, 0, False)


async def test_an_app_that_closes_after_a_1xx_is_not_asked_again(router: InProcess, make_origin: MakeOrigin) -> None:
    asked: list[int] = []

    async def script(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        asked.append(1)
        writer.write(OK)
        await read_message(reader)
        asked.append(1)
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    await router.ask(GET)
    reader, writer = await router.connect()
    writer.write(GET)
    assert (await read_message(reader)).status == 103
    assert (await read_message(reader))["x-shipoff-error"] == "UPSTREAM_CLOSED"
    assert len(asked) == 2
    writer.close()


async def test_an_empty_retry_budget_has_its_own_code(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    router = await make_router(retry_per_s=0.1, retry_share=0)
    fresh: list[int] = []
    made = await make_origin(script=closing_after_one(fresh))
    router.put(route("app.test"), endpoints("rel_1", made.address))
    codes = [(await router.ask(GET))["x-shipoff-error"] for _ in range(4)]
    assert codes == ["", "", "RETRIES_SPENT", ""]
    assert (router.edge.metrics.retries, router.edge.metrics.retries_spent) == (1, 1)


# --- answers that come early ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["closes", "resets", "reads on"])
async def test_an_early_answer_to_an_upload_reaches_the_client(
    router: InProcess, make_origin: MakeOrigin, how: str
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge")
        if how == "resets":
            await asyncio.sleep(0.01)
            reset(writer)
        elif how == "reads on":
            while await reader.read(65536):
                pass

    made = await make_origin(script=script)
    router.put(endpoints("rel_1", made.address))
    reader, writer = await router.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 65536)
    for _ in range(10):
        await asyncio.sleep(0.005)
        writer.write(b"x" * 65536)
    answer = await read_message(reader)
    assert (answer.status, answer.body, answer["connection"]) == (413, b"large", "close")
    assert await reader.read() == b""  # closed in order, without a reset
    writer.close()
    async with asyncio.timeout(5):
        while made.open or endpoint(router).open:
            await asyncio.sleep(0.01)


# --- pools and limits -------------------------------------------------------------------------------------------------


def slow(go: asyncio.Event, busy: list[int]) -> Script:
    """An app that answers when told, and notes how many requests it has at once."""

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            await read_message(reader)
            busy.append(busy[-1] + 1)
            await go.wait()
            writer.write(OK)
            busy.append(busy[-1] - 1)

    return script


async def test_requests_above_the_limit_of_connections_wait(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    router, go, busy = await make_router(endpoint_connections=3, pool_size=1), asyncio.Event(), [0]
    made = await make_origin(script=slow(go, busy))
    router.put(route("app.test"), endpoints("rel_1", made.address))
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(router.ask(POST)) for _ in range(20)]
        while router.edge.guard.lanes.waiting() < 17:
            await asyncio.sleep(0.01)
        assert endpoint(router).open == 3
        go.set()
    assert {task.result().status for task in asked} == {200}
    assert max(busy) <= 3
    assert not router.edge.guard.lanes._lanes
    assert not endpoint(router).wanted or not router.edge.guard.lanes.waiting()


async def test_that_queue_has_a_limit_and_a_deadline(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    router = await make_router(endpoint_connections=1, queue_size=2, queue_s=0.3)
    made = await make_origin(script=slow(asyncio.Event(), [0]))
    router.put(route("app.test"), endpoints("rel_1", made.address))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(router.ask(GET))
        while not made.connections:
            await asyncio.sleep(0.01)
        asked = [group.create_task(router.ask(GET)) for _ in range(4)]
        done, _ = await asyncio.wait(asked)
        await made.stop()
    codes = sorted(task.result()["x-shipoff-error"] for task in done)
    assert codes == ["QUEUE_FULL", "QUEUE_FULL", "QUEUE_TIMEOUT", "QUEUE_TIMEOUT"]
    assert first.result()["x-shipoff-error"] == "UPSTREAM_CLOSED"


async def test_an_idle_connection_gives_way_to_another_app(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    router = await make_router(upstream_connections=1)
    one, other = await make_origin(name="one"), await make_origin(name="other")
    router.put(route("a.test", "rel_a"), endpoints("rel_a", one.address))
    router.put(route("b.test", "rel_b"), endpoints("rel_b", other.address))
    for _ in range(3):
        for host, name in ((b"a.test", "one"), (b"b.test", "other")):
            answer = await router.ask(GET.replace(b"app.test", host))
            assert json.loads(answer.body)["by"] == name
    async with asyncio.timeout(5):
        while router.edge.upstreams > 1:
            await asyncio.sleep(0.01)


async def test_connections_are_counted_to_their_end(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        request = await read_message(reader)
        if request["upgrade"]:
            writer.write(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        await reader.read(-1)

    router.put(endpoints("rel_1", f"tcp:127.0.0.1:{free_port()}", (await make_origin(script=script)).address))
    writers = []
    for raw in (GET, GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), POST):
        _, writer = await router.connect()
        writer.write(raw)
        writers.append(writer)
    async with asyncio.timeout(5):
        while endpoint(router, 1).open < 3 or not router.edge.tunnels:
            await asyncio.sleep(0.01)
    for writer in writers:
        reset(writer)
    async with asyncio.timeout(5):
        while router.edge.upstreams or endpoint(router).open or endpoint(router, 1).open:
            await asyncio.sleep(0.01)


async def test_an_app_that_closes_idle_connections_early_teaches_to_do_so_before(
    make_router: MakeRouter, make_origin: MakeOrigin
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            async with asyncio.timeout(0.4):
                await read_message(reader)
            writer.write(OK)

    router, made = await make_router(), await make_origin(script=script)
    router.put(route("app.test"), endpoints("rel_1", made.address))
    async with asyncio.timeout(20):
        while endpoint(router).idle_s > 0.4:
            assert (await router.ask(POST)).status == 200
            while endpoint(router).open:
                await asyncio.sleep(0.02)
    assert router.edge.metrics.stale >= 2


async def test_one_that_closes_at_once_gets_what_cannot_be_sent_twice_on_new_connections(
    router: InProcess, origin: Origin
) -> None:
    for request, connections in ((GET, 1), (GET, 1), (POST, 2), (POST, 3), (GET, 3)):
        endpoint(router).idle_s = 0.1
        assert (await router.ask(request)).status == 200
        assert origin.connections == connections


async def test_an_app_that_says_for_how_long_is_believed(router: InProcess, origin: Origin) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok"
    await router.ask(GET)
    (pooled,) = endpoint(router).idle
    assert pooled.until - router.edge.now <= 0.5
