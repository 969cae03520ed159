"""Short ways to build, pack, start and dial."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kernel import ids
from orchestrator.build.plan import BuildPlan, Runtime
from orchestrator.build.slug import pack
from orchestrator.drivers.base import (
    BUILD_LIMITS,
    INSTANCE_LIMITS,
    BuildJob,
    BuildResult,
    InstanceInfo,
    InstanceSpec,
    Limits,
)
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.egress.client import Egress
from orchestrator.drivers.local.layout import LocalConfig

# environ: the helpers below start programs that need this process's own.
PROJECT = "prj_0192f0c1a8b27c3d9e4f5a6b7c8d9e0f"
SERVER = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"hello from the sandbox"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        print("served", self.path, flush=True)
print("starting", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass
class Workshop:
    """One driver and what tests do with it."""

    driver: LocalDriver
    config: LocalConfig
    scratch: Path
    lines: list[tuple[str, str]] = field(default_factory=list)

    def tree(self, files: Mapping[str, str]) -> Path:
        """A source tree."""
        root = Path(tempfile.mkdtemp(prefix="tree-", dir=self.scratch))
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    def job(
        self,
        build: str,
        files: Mapping[str, str] | None = None,
        *,
        runtime: Runtime = "none",
        env: Mapping[str, str] | None = None,
        limits: Limits = BUILD_LIMITS,
    ) -> BuildJob:
        """A build of one command."""
        plan = BuildPlan("custom", "dynamic", runtime, build=build)
        return BuildJob(ids.new("bld"), PROJECT, plan, self.tree(files or {}), env or {}, limits)

    async def build(self, job: BuildJob) -> BuildResult:
        """Runs a build; its lines are in `lines`."""
        return await self.driver.build(job, self.on_line)

    async def on_line(self, stream: str, text: str) -> None:
        """Collects lines."""
        self.lines.append((stream, text))

    def said(self) -> list[str]:
        """What the build's own processes wrote."""
        return [text for stream, text in self.lines if stream != "platform"]

    async def start(
        self,
        run: str,
        files: Mapping[str, str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        limits: Limits = INSTANCE_LIMITS,
        runtime: Runtime = "python",
    ) -> InstanceInfo:
        """Packs a tree and starts an instance of it."""
        return await self.driver.start(self.spec(run, files, env=env, limits=limits, runtime=runtime))

    def spec(
        self,
        run: str,
        files: Mapping[str, str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        limits: Limits = INSTANCE_LIMITS,
        runtime: Runtime = "python",
    ) -> InstanceSpec:
        """A packed tree and how to run it."""
        packed = self.scratch / f"{ids.new('bld')}.tar.zst"
        slug = pack(self.tree(files or {"server.py": SERVER}), packed, epoch_s=1_700_000_000, max_bytes=1 << 30)

        async def fetch() -> Path:
            return packed

        return InstanceSpec(
            ids.new("ins"), PROJECT, ids.new("rel"), slug.digest, fetch, run, runtime, env=env or {}, limits=limits
        )

    async def output(self, instance_id: str, until: str) -> list[str]:
        """The instance's lines, as soon as one of them has this text."""
        async with asyncio.timeout(20):
            while True:
                texts = [line.text for line in (await self.driver.logs(instance_id)).lines]
                if any(until in text for text in texts):
                    return texts
                await asyncio.sleep(0.02)


async def dismantle(driver: LocalDriver, config: LocalConfig) -> None:
    """Stops all instances, the driver and the egress proxy."""
    await asyncio.gather(*(driver.stop(info.instance_id, 0) for info in await driver.list()))
    await driver.close()
    await Egress(config).stop()


def dial(address: str, instance: str = "") -> socket.socket:
    """Connects to an instance as the router does; without its id as a router of before does."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(10)
        channel.connect(address.removeprefix("dial:"))
        channel.sendall(b"c" + instance.encode() + b"\n" if instance else b"c")
        answer, descriptors, _, _ = socket.recv_fds(channel, 256, 1)
    if not descriptors:
        raise ConnectionRefusedError(answer.decode())
    connection = socket.socket(fileno=descriptors[0])
    connection.settimeout(10)
    return connection


async def get(address: str, path: str = "/") -> bytes:
    """Asks an instance for a page, waiting until it listens."""
    async with asyncio.timeout(20):
        while True:
            try:
                with await asyncio.to_thread(dial, address) as connection:
                    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                    return await asyncio.to_thread(_all, connection)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)


def _all(connection: socket.socket) -> bytes:
    found = b""
    while chunk := connection.recv(65536):
        found += chunk
    return found


def processes_with(marker: str) -> list[int]:
    """The pids on this machine whose command line has this text."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                if marker.encode() in (path / "cmdline").read_bytes():
                    found.append(int(path.name))
            except OSError:
                continue
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that must become true."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def until_async(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for something that must become true and has to be asked for."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.02)


def tightened(limits: Limits, **changes: float) -> Limits:
    """Limits with some of them changed."""
    return replace(limits, **changes)  # type: ignore[arg-type]
