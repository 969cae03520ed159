"""How long does a change of a route take from the orchestrator's transaction to every router?

`python -m bench.propagation [--quick] [--routers N] [--hosts N] [--json FILE]`. Nothing polls: a request waits in every
router for a release that sleeps, and the change makes its route a redirect, which the router answers by itself. Two
clocks end with the last router's answer: one begins when the transaction is committed, for then there is an event; the
other before the transaction. Their baselines, in turns with them: what Redis alone takes (one entry appended, read by
as many plain readers that block), and what the disk takes for one page, which a commit has to wait for.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from redis.asyncio import Redis

from bench.report import Figure, publish
from bench.route_table.live import Publisher, Router, own_valkey
from kernel.database import Database, migrate
from kernel.streams import OutboxRelay, connect
from kernel.tasks import spawn
from orchestrator.routes import RouteTable
from stack.servers.postgres import Postgres
from stack.unit import launch

GOAL_MS = 20.0
LIMIT_S = 60.0
PAGE = bytes(8192)
HELD_S = 0.03  # until a request that was sent waits in its router
HOST = "waits.bench"
ASK = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@dataclass
class Scene:
    """The platform's part that is measured: database, relay, Redis, and routers with a table."""

    database: Database
    redis: Redis
    redis_url: str
    routers: list[Router]
    table: RouteTable = field(default_factory=RouteTable)

    async def put(self, **more: Any) -> int:
        """Writes the route of HOST; the table's version with it."""
        record = {"host": HOST, "path": "/", "project": "prj_1", "environment": "production", "rules": {}, **more}
        async with self.database.transaction() as tx:
            return await self.table.put_route(tx, record)

    async def until_served(self, version: int) -> None:
        """Waits until every router reports a version."""
        give_up = time.monotonic() + LIMIT_S
        while time.monotonic() < give_up:
            keys = [key async for key in self.redis.scan_iter(match="routers:*")]
            reports = [orjson.loads(raw) for raw in await self.redis.mget(keys) if raw] if keys else []
            if sum(report["version"] >= version for report in reports) == len(self.routers):
                return
            await asyncio.sleep(0.005)
        raise TimeoutError("not every router serves the table")


@asynccontextmanager
async def own_postgres(folder: Path) -> AsyncIterator[str]:
    """The URL of a server of this run, with the orchestrator's tables. It writes to disk as in production."""
    unit = Postgres(folder / "postgres", folder / "run", secrets.token_hex(16))
    process = await launch(unit)
    try:
        await asyncio.to_thread(migrate, unit.url(), "orchestrator")
        yield unit.url()
    finally:
        await process.stop(unit.stop_signal, unit.stop_within_s)


@asynccontextmanager
async def scene(folder: Path, routers: int, hosts: int) -> AsyncIterator[Scene]:
    """Everything, with routers that serve a table of so many hosts."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(own_postgres(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        publisher = Publisher(valkey.url)
        stack.push_async_callback(publisher.redis.aclose)
        await publisher.fill(hosts)
        database = await Database.connect(url)
        stack.push_async_callback(database.close)
        await database.execute("update route_table set epoch = $1, version = $2", publisher.epoch, publisher.version)
        relay = OutboxRelay(database, publisher.redis)
        relay.start()
        stack.push_async_callback(relay.stop)
        made = [
            Router(folder / f"r{n}", redis_url=valkey.url, node=f"n{n}", hold_s=60, hold_page_s=0)
            for n in range(routers)
        ]
        for router in made:
            stack.push_async_callback(router.stop)
            await router.start()
        built = Scene(database, publisher.redis, valkey.url, made)
        async with database.transaction() as tx:
            await built.table.put_endpoints(tx, "rel_1", [], "asleep")
        yield built


@dataclass(frozen=True, slots=True)
class Change:
    """One change, in milliseconds since before its transaction: its commit, and each router's answer by it."""

    commit: float
    routers: list[float]


async def change(scene: Scene, number: int) -> Change:
    """Makes one change."""
    await scene.until_served(await scene.put(kind="dynamic", release="rel_1"))
    lines = [await asyncio.open_connection("127.0.0.1", router.port) for router in scene.routers]
    for _, writer in lines:
        writer.write(ASK)
    await asyncio.sleep(HELD_S)
    began = time.perf_counter()

    async def answered(reader: asyncio.StreamReader) -> float:
        head = await reader.readuntil(b"\r\n\r\n")
        took = (time.perf_counter() - began) * 1000
        if b"location: /%d\r" % number not in head.lower():
            raise RuntimeError(f"a router answered {head!r}")
        return took

    waiting = [spawn(answered(reader), "answered") for reader, _ in lines]
    await scene.put(kind="redirect", location=f"/{number}", status=302)
    commit = (time.perf_counter() - began) * 1000
    took = list(await asyncio.gather(*waiting))
    for _, writer in lines:
        writer.close()
    return Change(commit, took)


async def redis_alone(url: str, redis: Redis, readers: int) -> float:
    """Milliseconds from an entry's append until the last of so many blocked readers has it."""
    clients = [connect(url) for _ in range(readers)]
    before = await redis.xadd("bench", {"e": b""}, maxlen=1)

    async def read(client: Redis) -> float:
        await client.xread({"bench": before}, block=5000)
        return time.perf_counter()

    waiting = [spawn(read(client), "reads") for client in clients]
    await asyncio.sleep(HELD_S)
    began = time.perf_counter()
    await redis.xadd("bench", {"e": b"x" * 400})
    took = (max(await asyncio.gather(*waiting)) - began) * 1000
    for client in clients:
        await client.aclose()
    return took


def disk_alone(folder: Path) -> float:
    """Milliseconds until a page is on the disk, in a file that has its size already, as Postgres' log has."""
    descriptor = os.open(folder / "page", os.O_CREAT | os.O_WRONLY)
    try:
        os.pwrite(descriptor, PAGE, 0)
        began = time.perf_counter()
        os.fdatasync(descriptor)
        return (time.perf_counter() - began) * 1000
    finally:
        os.close(descriptor)


def p99(samples: Sequence[float]) -> float:
    """Of at least two samples."""
    return statistics.quantiles(samples, n=100, method="inclusive")[98]


async def measure(changes: int, routers: int, hosts: int) -> list[Figure]:
    """Changes one route as often, in turns with the baseline."""
    each: list[float] = []
    event: list[float] = []
    whole: list[float] = []
    redis: list[float] = []
    disk: list[float] = []
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        async with scene(Path(folder), routers, hosts) as built:
            await change(built, 0)  # what is done for the first time takes longer
            _ = gc.collect()
            gc.freeze()  # a pass over all that the bench has made for the routers stops its clock for 20 ms
            for number in range(1, changes + 1):
                made = await change(built, number)
                each += [took - made.commit for took in made.routers]
                event.append(max(made.routers) - made.commit)
                whole.append(max(made.routers))
                redis.append(await redis_alone(built.redis_url, built.redis, routers))
                disk.append(await asyncio.to_thread(disk_alone, Path(folder)))
    last, worst = f"to the last of {routers} routers", p99(event)
    return [
        Figure(f"event {last}, p99", worst, "ms", 0.0, GOAL_MS, worst <= GOAL_MS, p99(redis)),
        Figure.of(f"event {last}", event, "ms", baseline=statistics.median(redis)),
        Figure.of("event to each router", each, "ms"),
        Figure(f"transaction {last}, p99", p99(whole), "ms", 0.0, None, None, p99(disk)),
        Figure.of(f"transaction {last}", whole, "ms", baseline=statistics.median(disk)),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.propagation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer changes; ends within a minute")
    parser.add_argument("--routers", type=int, default=10)
    parser.add_argument("--hosts", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    changes = 100 if options.quick else 500
    publish(asyncio.run(measure(changes, options.routers, options.hosts)), options.json)


if __name__ == "__main__":
    main()
