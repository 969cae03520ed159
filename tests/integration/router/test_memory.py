"""A worker's memory does not grow with what its peers do not take: measured on a real process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.router.wire import Origin, Processes, endpoints, reset, route

MakeProcesses = Callable[..., Processes]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
SIZE = 100_000_000
PEERS = 20
MOST = 25_000_000  # for 20 connections: what the kernel does not take and one large read each


async def deaf(reader: Reader, writer: Writer) -> None:
    """Streams 100 MB to a GET as fast as it is taken; takes nothing of a POST."""
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"POST"):
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(60)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
    for _ in range(SIZE // 100_000):
        writer.write(b"x" * 100_000)
        await writer.drain()


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def settled(pid: int) -> int:
    """The largest memory of a process until it grows no more."""
    most = seen = 0
    for _ in range(100):
        await asyncio.sleep(0.2)
        seen, before = resident(pid), seen
        most = max(most, seen)
        if before and abs(seen - before) < 200_000:
            break
    return most


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_what_is_not_taken_is_not_kept(
    make_processes: MakeProcesses, make_origin: MakeOrigin, write_table: Callable[..., Path], method: bytes
) -> None:
    origin = await make_origin(script=deaf)
    table = write_table(route("app.test"), endpoints("rel_1", origin.address))
    router = make_processes("--table", str(table), workers=1)
    router.arguments += ["--admin", f"127.0.0.1:{router.admin}"]
    await router.start()
    workers: list[dict[str, Any]] = json.loads((await router.get("/debug/workers")).body)["workers"]
    pid = workers[0]["pid"]
    before = resident(pid)
    writers: list[Writer] = []
    for _ in range(PEERS):
        _, writer = await asyncio.open_connection("127.0.0.1", router.port, limit=2**16)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(
            method + b" / HTTP/1.1\r\nHost: app.test\r\nContent-Length: %d\r\n\r\n" % (SIZE if method == b"POST" else 0)
        )
        if method == b"POST":
            writer.write(b"x" * 10_000_000)
        writers.append(writer)
    grown = await settled(pid) - before
    for writer in writers:
        reset(writer)
    assert grown < MOST
