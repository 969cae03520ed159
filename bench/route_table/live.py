"""A real router on a real Valkey: how long it takes to start, what it takes, and how long requests wait meanwhile.

The probe is a host that answers by itself, so a request measures the worker alone. Its requests leave at fixed times,
and their latency counts from there, so a stall of the worker is seen by everyone who would have met it.
"""

# environ: the router gets this process's environment with its settings added.
from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from redis.asyncio import Redis

from bench.route_table import records
from kernel.events import EndpointsPut, Envelope, Event, RoutePut, TableEpoch
from kernel.streams import connect
from stack.servers.valkey import Valkey
from stack.unit import launch

CHUNK = 1000
LIMIT_S = 120.0
POLL_S = 0.01
REQUEST = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % records.PROBE.encode()


@asynccontextmanager
async def own_valkey(folder: Path) -> AsyncIterator[Valkey]:
    """A server of this run; nothing that it holds is written to disk."""
    unit = Valkey(folder / "valkey", folder / "run", "bench")
    process = await launch(unit)
    redis = connect(unit.url)
    await redis.config_set("appendonly", "no")
    await redis.aclose()
    try:
        yield unit
    finally:
        await process.stop(unit.stop_signal, unit.stop_within_s)


class Publisher:
    """Writes the table as the orchestrator does, and as fast as it goes."""

    def __init__(self, url: str) -> None:
        self.redis: Redis = connect(url)
        self.epoch, self.version = "epo_1", 0

    async def fill(self, hosts: int) -> None:
        """Replaces everything that Redis holds by a table."""
        await self.redis.flushall()
        chunk: dict[str, bytes] = {}
        for record in records.records(hosts):
            chunk[records.field(record)] = orjson.dumps(record)
            if len(chunk) == CHUNK:
                await self.redis.hset("routes:table", mapping=chunk)  # type: ignore[arg-type]
                chunk = {}
        self.version = hosts + 1
        chunk[f"r:{records.PROBE}/"] = orjson.dumps(records.probe(0, self.version))
        await self.redis.hset("routes:table", mapping=chunk)  # type: ignore[arg-type]
        await self.redis.mset({"routes:epoch": self.epoch, "routes:version": self.version})

    async def put(self, changes: Iterable[dict[str, Any]]) -> None:
        """Changes records, one event each, in MULTIs of CHUNK."""
        waiting = list(changes)
        for start in range(0, len(waiting), CHUNK):
            async with self.redis.pipeline(transaction=True) as pipe:
                for record in waiting[start : start + CHUNK]:
                    self.version += 1
                    made = {**record, "version": self.version}
                    kind = RoutePut if "host" in made else EndpointsPut
                    _ = pipe.hset("routes:table", records.field(made), orjson.dumps(made))
                    self._tell(pipe, kind(self.epoch, self.version, made))
                _ = pipe.set("routes:version", self.version)
                await pipe.execute()

    async def begin_epoch(self) -> None:
        """Makes every router read the whole table again."""
        self.version += 1
        self.epoch = f"{self.epoch}x"
        async with self.redis.pipeline(transaction=True) as pipe:
            _ = pipe.mset({"routes:epoch": self.epoch, "routes:version": self.version})
            self._tell(pipe, TableEpoch(self.epoch, self.version))
            await pipe.execute()

    def _tell(self, pipe: Any, event: Event) -> None:
        _ = pipe.xadd("routes", {"e": Envelope(event, key="routes").encode()})


class Router:
    """`python -m router` with one worker."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.port, self.folder = _free_port(), folder
        own = {"listen": f"127.0.0.1:{self.port}", "admin": "", "workers": 1, "state_dir": str(folder), **settings}
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("SHIPOFF_ROUTER")}
        self._environment |= {f"SHIPOFF_ROUTER_{name.upper()}": str(value) for name, value in own.items()}
        self._environment |= {"SHIPOFF_OWNER_PID": str(os.getpid()), "SHIPOFF_LOG_LEVEL": "WARNING"}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> float:
        """Starts it; returns the seconds until the probe is answered."""
        self.folder.mkdir(exist_ok=True)
        started = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "router", env=self._environment, stderr=sys.stderr
        )
        while True:
            try:
                line = await Line.to(self.port)
                answered = await line.ask()
                line.close()
                if b" 302 " in answered:
                    return time.monotonic() - started
            except OSError:
                pass
            if time.monotonic() - started > LIMIT_S or self._process.returncode is not None:
                raise TimeoutError("the router does not start")
            await asyncio.sleep(0.01)

    def memory_mb(self) -> tuple[float, float]:
        """Proportional set size of the worker, now and at its peak (resident, as the kernel keeps no other)."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        worker = Path("/proc", max(children, key=int))
        pss = _field(worker / "smaps_rollup", "Pss:")
        return pss / 1000, _field(worker / "status", "VmHWM:") / 1000

    async def stop(self) -> None:
        """Ends it."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()


class Line:
    """A keep-alive connection that asks for the probe."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self) -> bytes:
        """The head of the answer."""
        self._writer.write(REQUEST)
        head = await self._reader.readuntil(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        if at >= 0:
            await self._reader.readexactly(int(head[at + 15 : head.index(b"\r", at)]))
        return head

    async def until(self, n: int) -> None:
        """Asks until the probe's n-th version answers."""
        wanted = b"location: /%d\r" % n
        while wanted not in (await self.ask()).lower():
            pass

    def close(self) -> None:
        self._writer.close()


async def event_to_effect_ms(publisher: Publisher, port: int, count: int) -> list[float]:
    """From the call that publishes a change to the first answer that shows it; what an answer takes is in it."""
    line, took = await Line.to(port), []
    for n in range(1, count + 1):
        started = time.perf_counter()
        await publisher.put([records.probe(n, 0)])
        await line.until(n)
        took.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.005)
    line.close()
    return took


async def resync(publisher: Publisher, port: int) -> None:
    """A new epoch, until the change that follows it is served."""
    await publisher.begin_epoch()
    await publisher.put([records.probe(publisher.version, 0)])
    await _served(port, publisher.version - 1)


async def burst(publisher: Publisher, port: int, count: int, hosts: int) -> None:
    """Many changes at once, until the last is served; every tenth is one of endpoints."""
    table = list(_take(records.records(hosts), count))
    await publisher.put(table)
    await publisher.put([records.probe(publisher.version, 0)])
    await _served(port, publisher.version - 1)


async def resync_of_others(publisher: Publisher) -> None:
    """A new epoch, until whoever follows the stream has reported it."""
    await publisher.begin_epoch()
    await _reported(publisher)


async def burst_for_others(publisher: Publisher, count: int, hosts: int) -> None:
    """Many changes at once, until whoever follows the stream has reported the last."""
    await publisher.put(list(_take(records.records(hosts), count)))
    await _reported(publisher)


async def _reported(publisher: Publisher) -> None:
    for _ in range(int(LIMIT_S / POLL_S)):
        raw = await publisher.redis.get("routers:watch")
        if raw and orjson.loads(raw)["version"] == publisher.version:
            return
        await asyncio.sleep(POLL_S)
    raise TimeoutError("nobody reports the last version")


async def _served(port: int, n: int) -> None:
    line = await Line.to(port)
    wanted = b"location: /%d\r" % n
    for _ in range(int(LIMIT_S / POLL_S)):
        if wanted in (await line.ask()).lower():
            line.close()
            return
        await asyncio.sleep(POLL_S)
    raise TimeoutError(f"version {n} of the probe is not served")


def _take(found: Iterable[dict[str, Any]], count: int) -> Iterable[dict[str, Any]]:
    for _, record in zip(range(count), found, strict=False):
        yield record


def _field(file: Path, name: str) -> float:
    return float(next(line.split()[1] for line in file.read_text().splitlines() if line.startswith(name)))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
