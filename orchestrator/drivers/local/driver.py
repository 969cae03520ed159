"""The local driver: builds and instances as sandboxed processes of this machine, behind the interface of base.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from kernel.tasks import repeat, spawn, stop
from orchestrator.drivers.base import (
    INSTANCE_UNKNOWN,
    BuildJob,
    BuildResult,
    Command,
    ExitInfo,
    InstanceInfo,
    InstanceSpec,
    LogLine,
    LogPage,
    LogStream,
    OnLine,
    Session,
    Usage,
)
from orchestrator.drivers.local.builds import LocalBuilds
from orchestrator.drivers.local.ground import Ground
from orchestrator.drivers.local.instances import LocalInstances
from orchestrator.drivers.local.layout import LocalConfig
from orchestrator.drivers.local.lines import read_log
from orchestrator.drivers.local.probe import probe
from orchestrator.drivers.local.session import begin
from orchestrator.drivers.local.slugs import SlugCache

PAGE_LINES: Final = 1000
CHECK_S: Final = 5.0


class LocalDriver:
    """Implements `Driver` with bubblewrap."""

    def __init__(self, config: LocalConfig) -> None:
        self._ground = Ground(config)
        self._slugs = SlugCache(config.slugs)
        self._builds = LocalBuilds(self._ground)
        self._instances = LocalInstances(self._ground, self._slugs)
        self._building: set[asyncio.Task[BuildResult]] = set()
        self._guard: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._ground.prepare()
        overlay = await probe(self._ground)
        await self._ground.egress.ensure()
        await self._instances.open(overlay=overlay)
        self._guard = spawn(repeat(self._look_after, CHECK_S, "the driver cannot look after its own"), "driver-guard")

    async def close(self) -> None:
        await stop(self._guard, *self._building)
        await self._builds.downloads.close()
        await self._instances.spares.close()
        self._instances.close()
        self._ground.cgroups.forget()

    async def build(self, job: BuildJob, on_line: OnLine) -> BuildResult:
        task = spawn(self._builds.run(job, on_line), f"build-{job.build_id}")
        self._building.add(task)
        try:
            return await task
        finally:
            self._building.discard(task)

    async def start(self, spec: InstanceSpec) -> InstanceInfo:
        return await self._instances.start(spec)

    async def stop(self, instance_id: str, grace_s: float) -> ExitInfo:
        return await self._instances.stop(instance_id, grace_s)

    async def connections(self, instance_id: str) -> int:
        return await asyncio.to_thread(self._instances.connections, instance_id)

    async def exec(self, instance_id: str, command: Command) -> Session:
        self._instances.directory(instance_id)
        return await begin(self._ground.config.commands_of(instance_id), command)

    async def usage(self) -> Mapping[str, Usage]:
        return await asyncio.to_thread(self._instances.usage)

    async def remove(self, instance_id: str) -> None:
        await self._instances.remove(instance_id)

    async def list(self) -> list[InstanceInfo]:
        return self._instances.all()

    def watch(self) -> AsyncIterator[ExitInfo]:
        return self._instances.watch()

    async def logs(self, instance_id: str, after: int = 0) -> LogPage:
        directory = self._instances.directory(instance_id)
        try:
            found, end = await asyncio.to_thread(read_log, directory, after, PAGE_LINES)
        except FileNotFoundError:  # forgotten a moment ago
            raise INSTANCE_UNKNOWN(f"there is no instance {instance_id}") from None
        return LogPage([LogLine(at, _stream(stream), text) for at, stream, text in found], end)

    async def seed(self, project_id: str, slug_digest: str, tree: Path) -> None:
        uid = self._ground.accounts.uid_of(project_id)
        await asyncio.to_thread(self._slugs.seed, slug_digest, uid, tree)

    async def prune(self, keep_slugs: set[str]) -> None:
        await asyncio.to_thread(self._slugs.prune, keep_slugs, self._instances.slugs_in_use())
        await self._instances.sweep()

    async def _look_after(self) -> None:
        """Starts the proxy again when it died (running apps find it where it was), and clears away what others left."""
        await self._ground.egress.ensure()
        await self._instances.sweep()


def _stream(name: str) -> LogStream:
    return "stdout" if name == "stdout" else "stderr" if name == "stderr" else "platform"
