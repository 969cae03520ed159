"""Short ways to build, start and ask, whatever the driver."""

from __future__ import annotations

import asyncio
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
    Command,
    Driver,
    ExitInfo,
    InstanceInfo,
    InstanceSpec,
    Limits,
    Session,
)
from tests.contract.driver.rigs import Rig

PROJECT = "prj_0192f0c1a8b27c3d9e4f5a6b7c8d9e0f"
SERVE = "exec python3 serve.py"
SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *args):
        print("served", self.path, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass
class Bench:
    """A driver, and what the contract does with it."""

    rig: Rig
    driver: Driver
    lines: list[tuple[str, str]] = field(default_factory=list)

    def tree(self, files: Mapping[str, str]) -> Path:
        root = Path(tempfile.mkdtemp(prefix="tree-", dir=self.rig.scratch))
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    async def build(
        self, command: str, files: Mapping[str, str] | None = None, *, env: Mapping[str, str] | None = None,
        limits: Limits = BUILD_LIMITS,
    ) -> tuple[BuildResult, Path]:  # fmt: skip
        plan = BuildPlan("custom", "dynamic", build=command)
        job = BuildJob(ids.new("bld"), PROJECT, plan, self.tree(files or {}), env or {}, limits)
        return await self.driver.build(job, self._hear), job.source_dir

    async def _hear(self, stream: str, text: str) -> None:
        self.lines.append((stream, text))

    def spec(
        self, run: str, files: Mapping[str, str] | None = None, *, env: Mapping[str, str] | None = None,
        limits: Limits = INSTANCE_LIMITS, port: int = 3000, runtime: Runtime = "python",
    ) -> InstanceSpec:  # fmt: skip
        packed = self.rig.scratch / f"{ids.new('bld')}.tar.zst"
        slug = pack(self.tree(files or {"serve.py": SERVER}), packed, epoch_s=1_700_000_000, max_bytes=1 << 30)

        async def fetch() -> Path:
            return packed

        return InstanceSpec(
            ids.new("ins"), PROJECT, ids.new("rel"), slug.digest, fetch, run, runtime, env=env or {}, port=port,
            limits=limits,
        )  # fmt: skip

    async def start(self, run: str, files: Mapping[str, str] | None = None, **options: object) -> InstanceInfo:
        return await self.driver.start(self.spec(run, files, **options))  # type: ignore[arg-type]

    async def get(self, address: str) -> bytes:
        """Asks for /, waiting until the app listens."""
        async with asyncio.timeout(20):
            while True:
                try:
                    return await asyncio.to_thread(self._get, address)
                except ConnectionError:
                    await asyncio.sleep(0.02)

    def _get(self, address: str) -> bytes:
        found = b""
        with self.rig.connect(address) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
            while chunk := connection.recv(65536):
                found += chunk
        return found

    async def output(self, instance_id: str, until_text: str) -> list[str]:
        """The instance's lines, as soon as one of them has this text."""
        async with asyncio.timeout(20):
            while True:
                texts = [line.text for line in (await self.driver.logs(instance_id)).lines]
                if any(until_text in text for text in texts):
                    return texts
                await asyncio.sleep(0.02)

    async def ended(self, instance_id: str, driver: Driver | None = None) -> ExitInfo:
        """How the instance ended, by the list; waits for it."""
        async with asyncio.timeout(20):
            while True:
                for info in await (driver or self.driver).list():
                    if info.instance_id == instance_id and info.exit is not None:
                        return info.exit
                await asyncio.sleep(0.02)

    async def run(
        self, instance_id: str, *arguments: str, given: bytes = b"", **options: object
    ) -> tuple[int, str, str]:
        """Runs a command in an instance; its status, stdout and stderr."""
        session = await self.driver.exec(instance_id, Command(arguments, **options))  # type: ignore[arg-type]
        try:
            await session.write(given)
            if not options.get("tty"):
                await session.end_input()
            said = await heard(session)
            return await session.wait(), said["stdout"], said["stderr"]
        finally:
            await session.close()


async def heard(session: Session, until_text: str | None = None) -> dict[str, str]:
    """What a session says, to its end or to a text."""
    said = {"stdout": "", "stderr": ""}
    async with asyncio.timeout(20):
        while (chunk := await session.read()) is not None:
            said[chunk[0]] += chunk[1].decode()
            if until_text is not None and until_text in said["stdout"]:
                break
    return said


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.02)


def tightened(limits: Limits, **changes: float) -> Limits:
    return replace(limits, **changes)  # type: ignore[arg-type]
