"""Instances that come and go: retries, pools, flips of the table, dialers, upgraded connections."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kernel.tasks import spawn
from router.core.records import EndpointsRecord, Route
from router.core.table import Table
from router.loading import adopt
from tests.integration.router.wire import InProcess, Origin, endpoints, free_port, read_message, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello"


async def test_a_dial_that_fails_goes_to_another_instance(router: InProcess, origin: Origin) -> None:
    router.put(endpoints("rel_1", f"tcp:127.0.0.1:{free_port()}", origin.address))
    for _ in range(10):
        assert (await router.ask(POST)).status == 200
    assert [r.body for r in origin.requests] == [b"hello"] * 10
    bad = router.edge.table.releases["rel_1"].endpoints[0]
    assert bad.failures <= 2  # set aside: not asked again and again
    assert router.edge.metrics.retries == bad.failures


async def test_no_instance_that_accepts_is_a_502(router: InProcess) -> None:
    router.put(endpoints("rel_1", *(f"tcp:127.0.0.1:{free_port()}" for _ in range(3))))
    for _ in range(2):
        answer = await router.ask(GET)
        assert (answer.status, answer["x-shipoff-error"]) == (502, "UPSTREAM_REFUSED")


async def test_the_last_instance_is_never_set_aside(router: InProcess, make_origin: MakeOrigin) -> None:
    port = free_port()
    router.put(endpoints("rel_1", f"tcp:127.0.0.1:{port}"))
    assert (await router.ask(GET)).status == 502
    await make_origin(port=port)
    assert (await router.ask(GET)).status == 200


async def test_a_dial_without_an_answer_is_a_504(make_router: MakeRouter) -> None:
    router = await make_router(connect_s=0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        await asyncio.sleep(0.1)
        router.put(route("app.test"), endpoints("rel_1", f"tcp:127.0.0.1:{full.getsockname()[1]}"))
        answer = await router.ask(GET)
        for filler in fillers:
            filler.close()
    assert (answer.status, answer["x-shipoff-error"]) == (504, "UPSTREAM_TIMEOUT")


def closing_after(answers: int) -> Callable[[Reader, Writer], Awaitable[None]]:
    """An app that closes its connection, without saying so, when the next request arrives."""

    async def script(reader: Reader, writer: Writer) -> None:
        for _ in range(answers):
            await read_message(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")

    return script


async def test_a_connection_that_closes_under_a_get_is_replaced(router: InProcess, make_origin: MakeOrigin) -> None:
    made = await make_origin(script=closing_after(1))
    router.put(endpoints("rel_1", made.address))
    for _ in range(4):
        assert (await router.ask(GET)).body == b"ok"
    assert router.edge.metrics.retries == 3


async def test_a_connection_that_closes_under_a_post_is_not_asked_twice(
    router: InProcess, make_origin: MakeOrigin
) -> None:
    made = await make_origin(script=closing_after(1))
    router.put(endpoints("rel_1", made.address))
    assert (await router.ask(POST)).body == b"ok"
    answer = await router.ask(POST)
    assert (answer.status, answer["x-shipoff-error"]) == (502, "UPSTREAM_CLOSED")
    assert router.edge.metrics.retries == 0


async def test_a_connection_that_was_closed_meanwhile_is_not_used(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    made = await make_origin(script=script)
    router.put(endpoints("rel_1", made.address))
    for _ in range(5):
        assert (await router.ask(POST)).body == b"ok"
    assert made.connections == 5


async def test_an_app_that_closes_before_any_answer_is_a_502(router: InProcess, make_origin: MakeOrigin) -> None:
    made = await make_origin(script=closing_after(0))
    router.put(endpoints("rel_1", made.address))
    answer = await router.ask(GET)
    assert (answer.status, answer["x-shipoff-error"]) == (502, "UPSTREAM_CLOSED")
    assert made.connections == 1


async def test_idle_connections_close_before_the_app_does(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router(pool_idle_s=0.1)
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    await router.ask(GET)
    async with asyncio.timeout(5):
        while origin.open:
            await asyncio.sleep(0.02)
    assert not router.edge.table.releases["rel_1"].endpoints[0].idle


async def test_the_pool_is_bounded(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router(pool_size=2)
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    await asyncio.gather(*(router.ask(GET) for _ in range(20)))
    assert len(router.edge.table.releases["rel_1"].endpoints[0].idle) <= 2


async def test_requests_are_spread_over_instances(router: InProcess, make_origin: MakeOrigin) -> None:
    made = [await make_origin(name=str(n)) for n in range(3)]
    router.put(endpoints("rel_1", *(o.address for o in made)))
    for _ in range(60):
        await router.ask(GET)
    assert all(o.requests for o in made)


async def test_a_canary_gets_its_share(router: InProcess, make_origin: MakeOrigin) -> None:
    one, other = await make_origin(), await make_origin()
    router.put(endpoints("rel_a", one.address), endpoints("rel_b", other.address))
    router.put(route("app.test", "rel_a", weights=[["rel_a", 80], ["rel_b", 20]]))
    for _ in range(200):
        await router.ask(GET)
    assert 10 <= len(other.requests) <= 80
    assert len(one.requests) + len(other.requests) == 200


async def test_a_flip_of_the_table_fails_no_request(router: InProcess, make_origin: MakeOrigin) -> None:
    statuses: list[int] = []
    done = asyncio.Event()

    async def ask() -> None:
        reader, writer = await router.connect()
        while not done.is_set():
            writer.write(POST)
            statuses.append((await read_message(reader)).status)
        writer.close()

    clients = [spawn(ask(), "test.client") for _ in range(8)]
    old = await make_origin()
    for n in range(15):
        new = await make_origin(name=str(n))
        router.put(endpoints(f"rel_{n + 10}", new.address), route("app.test", f"rel_{n + 10}"))
        if n:
            router.edge.retire(router.edge.table.delete_release(f"rel_{n + 9}"))
        await asyncio.sleep(0.02)
        await old.stop()  # the orchestrator drains only when every router has the new table
        old = new
    done.set()
    await asyncio.gather(*clients)
    assert set(statuses) == {200}
    assert len(statuses) > 100


async def test_requests_in_flight_finish_on_an_instance_that_has_left(
    router: InProcess, make_origin: MakeOrigin
) -> None:
    go = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
        assert await reader.read() == b""  # not pooled: the instance can end

    old, new = await make_origin(script=script), await make_origin(name="new")
    router.put(endpoints("rel_1", old.address))
    waiting = spawn(router.ask(GET), "test.ask")
    while not old.connections:
        await asyncio.sleep(0.01)
    router.put(endpoints("rel_1", new.address))
    assert json.loads((await router.ask(GET)).body)["by"] == "new"
    go.set()
    assert (await waiting).body == b"old"
    async with asyncio.timeout(5):
        while old.open:
            await asyncio.sleep(0.01)


async def test_a_dial_to_an_instance_that_has_left_is_retried_in_the_table_of_now(
    make_router: MakeRouter, make_origin: MakeOrigin
) -> None:
    router = await make_router(connect_s=1)
    new = await make_origin(name="new")
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        filler = socket.create_connection(full.getsockname())
        router.put(route("app.test"), endpoints("rel_1", f"tcp:127.0.0.1:{full.getsockname()[1]}"))
        waiting = [spawn(router.ask(POST), "test.ask") for _ in range(3)]
        await asyncio.sleep(0.2)
        router.put(endpoints("rel_2", new.address), route("app.test", "rel_2"))
        answers = await asyncio.gather(*waiting)
        filler.close()
    assert {a.status for a in answers} <= {200, 504}
    assert 200 in {a.status for a in answers}


async def test_a_whole_new_table_keeps_pools_and_counts(router: InProcess, origin: Origin) -> None:
    await router.ask(GET)
    table = Table("epo_2", 9)
    table.put_route(Route(route("app.test")))
    table.put_release(EndpointsRecord(endpoints("rel_1", origin.address)))
    await adopt(router.edge, table)
    await router.ask(GET)
    assert origin.connections == 1


async def hand_over(path: Path, address: tuple[str, int] | None) -> asyncio.Server:
    """A dialer as it runs in a sandbox: one connected descriptor per connection, or why there is none."""

    async def serve(reader: Reader, writer: Writer) -> None:
        if await reader.readexactly(1) == b"c":
            raw = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
            if address is None:
                raw.send(b"-ECONNREFUSED")
            else:
                with socket.create_connection(address) as made:
                    socket.send_fds(raw, [b"+"], [made.fileno()])
            raw.close()
        writer.close()

    return await asyncio.start_unix_server(serve, path)


async def test_a_dialers_descriptor_serves_and_is_pooled(router: InProcess, origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    server = await hand_over(path, ("127.0.0.1", origin.port))
    router.put(endpoints("rel_1", f"dial:{path}"))
    for _ in range(3):
        assert (await router.ask(POST)).status == 200
    assert origin.connections == 1
    server.close()


async def test_a_dialer_that_says_no_is_a_502(router: InProcess, tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    server = await hand_over(path, None)
    router.put(endpoints("rel_1", f"dial:{path}"))
    answer = await router.ask(GET)
    assert (answer.status, answer["x-shipoff-error"]) == (502, "UPSTREAM_REFUSED")
    assert "ECONNREFUSED" in json.loads(answer.body)["detail"]
    server.close()


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def echo_upgraded(reader: Reader, writer: Writer) -> None:
    """Switches to a protocol that echoes, greets first, and ends when the other side has ended."""
    request = await read_message(reader)
    assert (request["connection"], request["upgrade"]) == ("upgrade", "websocket")
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: 1\r\n\r\nhi ")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b" bye")


async def test_an_upgraded_connection_relays_both_ways(router: InProcess, make_origin: MakeOrigin) -> None:
    router.put(endpoints("rel_1", (await make_origin(script=echo_upgraded)).address))
    reader, writer = await router.connect()
    writer.write(UPGRADE + b"early ")
    answer = await read_message(reader, bodiless=True)
    assert (answer.status, answer["connection"], answer["upgrade"]) == (101, "upgrade", "websocket")
    assert await reader.readexactly(9) == b"hi early "
    writer.write(b"\x00\xff" * 500_000)
    assert await reader.readexactly(1_000_000) == b"\x00\xff" * 500_000
    writer.write_eof()
    assert await reader.read() == b" bye"
    writer.close()
    async with asyncio.timeout(5):
        while router.edge.tunnels or router.edge.table.releases["rel_1"].endpoints[0].in_flight:
            await asyncio.sleep(0.01)


async def test_a_change_of_the_table_does_not_cut_an_upgraded_connection(
    router: InProcess, make_origin: MakeOrigin, origin: Origin
) -> None:
    router.put(endpoints("rel_1", (await make_origin(script=echo_upgraded)).address))
    reader, writer = await router.connect()
    writer.write(UPGRADE)
    await read_message(reader, bodiless=True)
    router.put(endpoints("rel_1", origin.address))
    writer.write(b"still here")
    assert await reader.readexactly(13) == b"hi still here"
    writer.close()


async def test_a_refused_upgrade_is_a_plain_answer(router: InProcess, origin: Origin) -> None:
    reader, writer = await router.connect()
    for _ in range(2):
        writer.write(UPGRADE)
        assert (await read_message(reader)).status == 200
    assert origin.connections == 1
    writer.close()


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket, h2c"])
async def test_h2c_is_never_asked_of_an_app(router: InProcess, origin: Origin, upgrade: bytes) -> None:
    await router.ask(
        b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: " + upgrade + b"\r\n"
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
    )
    names = {name for name, _ in origin.requests[0].headers}
    assert not names & {"upgrade", "http2-settings", "connection"}


async def test_a_side_that_vanishes_takes_the_tunnel_with_it(router: InProcess, make_origin: MakeOrigin) -> None:
    made = await make_origin(script=echo_upgraded)
    router.put(endpoints("rel_1", made.address))
    _, writer = await router.connect()
    writer.write(UPGRADE)
    while not router.edge.tunnels:
        await asyncio.sleep(0.01)
    writer.transport.abort()
    async with asyncio.timeout(5):
        while router.edge.tunnels or made.open:
            await asyncio.sleep(0.01)
