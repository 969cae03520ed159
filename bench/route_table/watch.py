"""What is measured beside the work, each in a process of its own, so that neither keeps the other waiting.

`python -m bench.route_table.watch requests PORT` sends requests at fixed times and notes the latency of each, counted
from its time. `… steps URL` follows the table as a worker does and notes the processor time of each turn of its loop:
how long a request can be kept waiting by the table, however busy the machine is. A line on standard input asks for what
was noted since the one before; the answer is a list of milliseconds, and `[]` once it is ready to begin.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable
from typing import TypeVar

import orjson
import uvloop

from bench.route_table.live import Line
from kernel.tasks import spawn, stop
from router.edge.context import Edge
from router.feed import Feed
from router.settings import RouterSettings

PER_S = 500.0
T = TypeVar("T")


class Watch:
    """A process that measures beside us."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def begin(cls, kind: str, where: str) -> Watch:
        arguments = (sys.executable, "-m", "bench.route_table.watch", kind, where)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe, limit=1 << 26)
        watch = cls(process)
        await watch._read()
        return watch

    async def take(self) -> list[float]:
        """Milliseconds noted since the last time."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return await self._read()

    async def during(self, work: Awaitable[T]) -> tuple[T, list[float]]:
        """What came of something, and what was noted meanwhile."""
        await self.take()
        return await work, await self.take()

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _read(self) -> list[float]:
        assert self._process.stdout is not None
        found: list[float] = orjson.loads(await self._process.stdout.readline())
        return found


async def requests(port: int, noted: list[float]) -> None:
    """One connection, `PER_S` requests a second."""
    line, due = await Line.to(port), time.perf_counter()
    while True:
        due += 1 / PER_S
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        await line.ask()
        noted.append((time.perf_counter() - due) * 1000)


async def steps(url: str, noted: list[float]) -> None:
    """A feed, and a callback that runs once in every turn of the loop."""
    loop, last = asyncio.get_running_loop(), time.thread_time()

    def turn() -> None:
        nonlocal last
        now = time.thread_time()
        noted.append((now - last) * 1000)
        last = now
        if len(noted) > 1_000_000:
            del noted[:500_000]
        loop.call_later(0.001, turn)

    feed = Feed(Edge(RouterSettings(redis_url=url)), url, "watch", None)
    await feed.start()
    turn()
    await asyncio.Event().wait()


def _say(found: list[float]) -> None:
    print(orjson.dumps(found).decode(), flush=True)


async def main() -> None:
    kind, where = sys.argv[1:]
    noted: list[float] = []
    work = spawn(requests(int(where), noted) if kind == "requests" else steps(where, noted), kind)
    for _ in range(12_000):
        if noted:
            break
        await asyncio.sleep(0.01)
    _say([])
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        found = noted.copy()
        noted.clear()
        await asyncio.to_thread(_say, found)  # what it takes to say it is no step of the loop
    await stop(work)


if __name__ == "__main__":
    uvloop.run(main())
