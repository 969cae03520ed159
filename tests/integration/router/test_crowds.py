"""Thousands of clients that never finish a head, on a real process: whoever asks properly is answered, the crowd ends.

The crowd is bound by what the product promises: a head has `head_s` to come and MAX_HEAD to fit in, whatever trickles.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kernel.tasks import spawn, stop
from tests.integration.router.wire import LIMIT_S, Origin, Processes, endpoints, read_message, route

MakeProcesses = Callable[..., Processes]
MakeOrigin = Callable[..., Awaitable[Origin]]
CROWD = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 500)
HEAD_S = 4
ASKED = 300
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """As many as this process may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
async def router(make_processes: MakeProcesses, make_origin: MakeOrigin, write_table: Callable[..., Path]) -> Processes:
    """One worker with one app."""
    table = write_table(route("app.test"), endpoints("rel_1", (await make_origin()).address))
    made = make_processes(table=table, workers=1, head_s=HEAD_S, connect_s=LIMIT_S)
    await made.start()
    return made


async def clients_of(router: Processes) -> int:
    """How many connections the worker has."""
    found: list[dict[str, Any]] = json.loads((await router.get("/debug/connections")).body)["workers"]
    return sum(one["clients"] for one in found)


@asynccontextmanager
async def crowd(router: Processes, size: int) -> AsyncIterator[list[socket.socket]]:
    """Connections, without a transport around each."""
    made: list[socket.socket] = []
    try:
        for number in range(size):
            made.append(socket.socket())
            made[-1].setblocking(False)
            made[-1].connect_ex(("127.0.0.1", router.port))
            if number % 100 == 0:  # the worker's backlog has its bound
                await asyncio.sleep(0.005)
        yield made
    finally:
        for one in made:
            one.close()


def send(one: socket.socket, data: bytes) -> None:
    """As much as goes; who was closed or refused sends no more."""
    try:
        one.send(data)
    except OSError:
        return


async def trickle(some: list[socket.socket]) -> None:
    """A byte a second from each."""
    for octet in b"GET / HTTP/1.1\r\nHost: app.test":
        for number, one in enumerate(some):
            send(one, bytes((octet,)))
            if number % 500 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(1)


async def flood(some: list[socket.socket]) -> None:
    """Header lines without an end from each, past the limit of a head."""
    for one in some:
        send(one, b"GET / HTTP/1.1\r\nHost: app.test\r\n")
    while True:
        for one in some:
            send(one, b"X-Flood: more\r\n" * 40)
            await asyncio.sleep(0)


async def told(one: socket.socket) -> bytes:
    """The status with which a connection is ended."""
    async with asyncio.timeout(HEAD_S + LIMIT_S):
        return (await asyncio.get_running_loop().sock_recv(one, 12))[9:]


@pytest.mark.parametrize(
    ("act", "size", "status"),
    [(trickle, CROWD, b"408"), (flood, CROWD // 50, b"431")],
    ids=["a byte a second", "headers"],
)
async def test_a_crowd_that_finishes_nothing_keeps_nobody_from_being_answered(
    router: Processes, act: Callable[[list[socket.socket]], Coroutine[Any, Any, None]], size: int, status: bytes
) -> None:
    async with crowd(router, size) as some:
        acting = spawn(act(some), "test.crowd")
        reader, writer = await asyncio.open_connection("127.0.0.1", router.port)
        for number in range(ASKED):
            writer.write(GET)
            assert (await read_message(reader)).status == 200
            if number % 10 == 0:
                assert (await router.ask(GET)).status == 200  # those who come now, too
        writer.close()
        assert {await told(one) for one in some} == {status}
        await stop(acting)
    async with asyncio.timeout(LIMIT_S):
        while await clients_of(router):
            await asyncio.sleep(0.1)
