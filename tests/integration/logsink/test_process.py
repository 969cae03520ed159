"""The process itself: killed while lines come, nothing that was answered is lost and nothing is stored twice."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from proto.logsink.v1.logsink_pb2 import AppendRequest, Line, ReadRequest
from proto.logsink.v1.logsink_pb2_grpc import LogsStub
from stack.ports import free_ports

TOKEN = "a-token-that-must-not-be-printed"


@asynccontextmanager
async def process(database_url: str, port: int, admin: int) -> AsyncIterator[Process]:
    environment = {
        "SHIPOFF_LOGSINK_LISTEN": f"127.0.0.1:{port}",
        "SHIPOFF_LOGSINK_ADMIN": f"127.0.0.1:{admin}",
        "SHIPOFF_LOGSINK_DATABASE_URL": database_url,
        "SHIPOFF_SERVICE_TOKEN": TOKEN,
    }
    started = await asyncio.create_subprocess_exec(sys.executable, "-m", "logsink", env=environment, stderr=PIPE)
    try:
        await _ready(admin)
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def _ready(admin: int) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(400):
            try:
                async with http.get(f"http://127.0.0.1:{admin}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise AssertionError("the log service did not become ready")


async def test_it_stops_in_order_and_prints_no_secret(db: Database, database_url: str) -> None:
    async with process(database_url, *free_ports(2)) as running:
        running.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(running.communicate(), 20)
        assert running.returncode == 0
        assert b"listening on port" in errors
        assert TOKEN.encode() not in errors


async def test_it_says_what_it_cannot_do_without(database_url: str) -> None:
    started = await asyncio.create_subprocess_exec(sys.executable, "-m", "logsink", env={}, stderr=PIPE)
    _, errors = await asyncio.wait_for(started.communicate(), 20)
    assert started.returncode == 1
    assert b"SHIPOFF_LOGSINK_DATABASE_URL" in errors


@pytest.mark.timeout(60)
async def test_a_kill_loses_and_doubles_nothing(db: Database, database_url: str) -> None:
    port, admin = free_ports(2)
    client = RpcClient(f"127.0.0.1:{port}", TOKEN, idempotent=frozenset({"Append"}))
    stub: Any = client.stub(LogsStub)

    async def send(producer: str) -> None:
        """Repeats each batch until it is answered, as every sender does."""
        for sequence in range(100):
            line = Line(project_id="prj_a", deployment_id=producer, source="run", stream="stdout", text=str(sequence))
            request = AppendRequest(producer=producer, sequence=sequence, lines=[line])
            await stub.Append(request, timeout=30.0)

    async def kill_and_restart() -> None:
        for _ in range(3):
            async with process(database_url, port, admin) as running:
                await asyncio.sleep(0.15)
                running.kill()

    async with asyncio.TaskGroup() as group:
        following = group.create_task(_follow(stub, 400))
        for n in range(4):
            group.create_task(send(f"p{n}"))
        await kill_and_restart()
        async with process(database_url, port, admin):
            lines = await following
    assert [line.offset for line in lines] == list(range(1, 401))
    for n in range(4):
        assert [int(line.text) for line in lines if line.deployment_id == f"p{n}"] == list(range(100))
    await client.close()


async def _follow(stub: Any, count: int) -> list[Line]:
    """Follows until so many lines came; comes back after its last offset whenever it is cut, as every viewer does."""
    lines: list[Line] = []
    while True:
        after = lines[-1].offset if lines else 0
        try:
            async for line in stub.Read(ReadRequest(project_id="prj_a", follow=True, after_offset=after)):
                lines.append(line)
                if len(lines) == count:
                    return lines
        except ShipoffError as error:
            if error.code != "UNAVAILABLE":
                raise
            await asyncio.sleep(0.05)
