"""A reused address never serves another tenant."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from kernel.tasks import spawn
from tests.integration.router.wire import InProcess, Origin, read_message, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
GET = b"GET / HTTP/1.1\r\nHost: %b.test\r\n\r\n"


def listed(release: str, version: int, *pairs: tuple[str, str]) -> dict[str, Any]:
    """An endpoints record of (address, instance) pairs."""
    found = [{"address": address, "instance": instance, "weight": 1, "zone": ""} for address, instance in pairs]
    return {"release": release, "state": "running", "endpoints": found, "version": version}


async def by(router: InProcess, host: bytes) -> str:
    """Who answered, or the code of the router's own answer."""
    answer = await router.ask(GET % host)
    return answer["x-shipoff-error"] or str(json.loads(answer.body)["by"])


async def test_an_address_is_that_of_the_newest_record_that_names_it(
    make_router: MakeRouter, make_origin: MakeOrigin
) -> None:
    router, mine = await make_router(switch_s=0), await make_origin(name="mine")
    router.put(route("a.test", "rel_a"), route("b.test", "rel_b"))
    router.put(listed("rel_a", 1, (mine.address, "ins_1")))
    assert await by(router, b"a") == "mine"
    await mine.stop()
    theirs = await make_origin(name="theirs", port=mine.port)
    router.put(listed("rel_b", 2, (mine.address, "ins_2")))
    assert await by(router, b"b") == "theirs"
    assert await by(router, b"a") == "NO_INSTANCE"
    router.put(listed("rel_c", 1, (mine.address, "ins_1")), route("c.test", "rel_c"))  # an event that came late
    assert await by(router, b"c") == "NO_INSTANCE"
    assert {r["host"] for r in theirs.requests} == {"b.test"}


async def test_pooled_connections_end_with_the_instance(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    router, origin = await make_router(), await make_origin()
    router.put(route("a.test", "rel_a"), listed("rel_a", 1, (origin.address, "ins_1")))
    await by(router, b"a")
    router.put(listed("rel_a", 2, (origin.address, "ins_2")))
    await by(router, b"a")
    assert origin.connections == 2
    async with asyncio.timeout(5):
        while len(origin.open) > 1:
            await asyncio.sleep(0.01)


async def test_a_dial_that_ends_after_its_instance_has_left_is_not_used(
    make_router: MakeRouter, make_origin: MakeOrigin, tmp_path: Path
) -> None:
    router, old, new = await make_router(), await make_origin(name="old"), await make_origin(name="new")
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1)
        asked.set()
        await go.wait()
        _hand_over(writer, old.port)

    server = await asyncio.start_unix_server(slow, tmp_path / "d.sock")
    router.put(route("a.test", "rel_a"), listed("rel_a", 1, (f"dial:{tmp_path / 'd.sock'}", "ins_1")))
    waiting = spawn(router.ask(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi"), "test.ask")
    await asked.wait()
    router.put(listed("rel_a", 2, (new.address, "ins_2")))
    go.set()
    assert json.loads((await waiting).body)["by"] == "new"
    assert not old.requests
    server.close()


async def test_a_dialer_is_asked_for_the_instance_by_its_id(
    make_router: MakeRouter, origin: Origin, tmp_path: Path
) -> None:
    asked: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        asked.append(await reader.readuntil(b"\n"))
        if asked[-1] == b"cins_1\n":
            _hand_over(writer, origin.port)
        else:
            writer.write(b"-another instance is here")
            writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "d.sock")
    router = await make_router()
    router.put(route("a.test", "rel_a"), listed("rel_a", 1, (f"dial:{tmp_path / 'd.sock'}", "ins_1")))
    assert await by(router, b"a") == "origin"
    router.put(listed("rel_a", 2, (f"dial:{tmp_path / 'd.sock'}", "ins_2")))
    assert await by(router, b"a") == "UPSTREAM_REFUSED"
    assert asked == [b"cins_1\n", b"cins_2\n"]
    server.close()


async def test_a_request_in_flight_ends_with_the_instance_that_it_had(
    make_router: MakeRouter, make_origin: MakeOrigin
) -> None:
    go = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
        assert await reader.read() == b""  # its connection is not used again

    old, new = await make_origin(script=script), await make_origin(name="new")
    router = await make_router()
    router.put(route("a.test", "rel_a"), listed("rel_a", 1, (old.address, "ins_1")))
    waiting = spawn(router.ask(GET % b"a"), "test.ask")
    while not old.connections:
        await asyncio.sleep(0.01)
    router.put(listed("rel_b", 2, (old.address, "ins_2")), listed("rel_a", 3, (new.address, "ins_3")))
    go.set()
    assert (await waiting).body == b"old"
    assert await by(router, b"a") == "new"


def _hand_over(writer: Writer, port: int) -> None:
    raw = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
    with socket.create_connection(("127.0.0.1", port)) as made:
        socket.send_fds(raw, [b"+"], [made.fileno()])
    raw.close()
    writer.close()
