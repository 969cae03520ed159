"""Starts, finds again, watches and stops instances. The truth about them is on disk and in their keepers.

`<work_dir>/instances/<id>/` holds `keeper.json` (who keeps it, written by the keeper), `log.*`, `stop.json` (how much
grace), `exit.json` (how it ended) and the instance's own changes to its app directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from kernel.errors import ShipoffError
from orchestrator.drivers.base import (
    INSTANCE_START_FAILED,
    INSTANCE_UNKNOWN,
    ExitInfo,
    InstanceInfo,
    InstanceSpec,
    Usage,
)
from orchestrator.drivers.local import cgroups
from orchestrator.drivers.local.builds import give
from orchestrator.drivers.local.directories import Directories
from orchestrator.drivers.local.ground import Ground, run_environment
from orchestrator.drivers.local.keeper import write_json
from orchestrator.drivers.local.launch import start_time
from orchestrator.drivers.local.sandbox import Overlay
from orchestrator.drivers.local.slugs import SlugCache
from orchestrator.drivers.local.spare import SpareKeepers
from orchestrator.drivers.local.usage import Processes

log = logging.getLogger(__name__)
REPORT_DEADLINE_S: Final = 30.0
KILL_MARGIN_S: Final = 10.0
MAX_PENDING_EXITS: Final = 1024


@dataclass(slots=True)
class _Known:
    """A running instance: what we know of it, a pidfd of its keeper, and the future of its end."""

    info: InstanceInfo
    keeper: int
    ended: asyncio.Future[ExitInfo]


class LocalInstances:
    """All instances of this machine's platform."""

    def __init__(self, ground: Ground, slugs: SlugCache) -> None:
        self._ground, self._slugs = ground, slugs
        self._root = ground.config.instances
        self._directories = Directories(self._root, ground.config.discarded)
        self.spares = SpareKeepers()
        self._running: dict[str, _Known] = {}
        self._ended: dict[str, InstanceInfo] = {}
        self._watchers: set[asyncio.Queue[ExitInfo | None]] = set()
        self._starting: set[str] = set()
        self._overlay = False

    # --- finding again --------------------------------------------------------------------------------------------

    async def open(self, *, overlay: bool) -> None:
        """Adopts what an earlier process started, and writes off what nobody keeps any more.

        Args:
            overlay: app directories are overlays of their slug; copies otherwise.
        """
        self._overlay = overlay
        await self.sweep()
        live = {self._group(info_id) for info_id in self._running}
        for name in self._ground.cgroups.names():
            if name.startswith("ins_") and name not in live:
                await asyncio.to_thread(cgroups.kill_and_remove, self._ground.cgroups.directories(name))

    async def sweep(self) -> None:
        """Deletes what somebody who died has left half done."""
        await self._directories.sweep(self._discover())

    def _discover(self) -> list[Path]:
        """Takes up what others have started; returns the directories of what does not run yet."""
        unborn = []
        for directory in sorted(self._root.iterdir()):
            if directory.name in self._running or directory.name in self._ended or directory.name in self._starting:
                continue
            try:
                record = json.loads((directory / "keeper.json").read_text())
            except (OSError, ValueError):
                unborn.append(directory)
                continue
            if record["child"] or (directory / "exit.json").exists():
                self._adopt(directory, record)
            else:
                unborn.append(directory)
        return unborn

    def _adopt(self, directory: Path, record: dict[str, Any]) -> None:
        info = _info(record)
        if not (directory / "exit.json").exists() and self._follow(info, record["started"]):
            return
        self._ended[info.instance_id] = replace(info, pid=0, exit=self._conclude(info))

    def _follow(self, info: InstanceInfo, started: int) -> bool:
        """Watches a keeper; False when it is not there any more (its pid may be somebody else's by now)."""
        try:
            keeper = os.pidfd_open(info.pid)
        except ProcessLookupError:
            return False
        if start_time(info.pid) != started:
            os.close(keeper)
            return False
        loop = asyncio.get_running_loop()
        self._running[info.instance_id] = _Known(info, keeper, loop.create_future())
        loop.add_reader(keeper, self._on_end, info.instance_id)
        return True

    def _on_end(self, instance_id: str) -> None:
        known = self._running.pop(instance_id)
        asyncio.get_running_loop().remove_reader(known.keeper)
        os.close(known.keeper)
        known.ended.set_result(self._announce(known.info))

    def _announce(self, info: InstanceInfo) -> ExitInfo:
        """Takes note of an end, and tells the watchers."""
        ended = self._conclude(info)
        self._ended[info.instance_id] = replace(info, pid=0, exit=ended)
        for watcher in self._watchers:
            try:
                watcher.put_nowait(ended)
            except asyncio.QueueFull:
                log.error("a watcher of exits does not keep up; the exit of %s is only in list()", info.instance_id)
        return ended

    def _conclude(self, info: InstanceInfo) -> ExitInfo:
        """How it ended: as its keeper wrote, or lost when the keeper died before it could."""
        path = self._root / info.instance_id / "exit.json"
        try:
            told = json.loads(path.read_text())
        except (OSError, ValueError):
            told = {"reason": "lost", "exit_status": -9, "at_ms": time.time_ns() // 1_000_000, "last_lines": []}
            self._clear_away(info)
            with contextlib.suppress(FileNotFoundError):
                write_json(path, told)
        return ExitInfo(
            info.instance_id, info.project_id, info.release_id, told["reason"], told["exit_status"], told["at_ms"],
            tuple(told["last_lines"]),
        )  # fmt: skip

    def _clear_away(self, info: InstanceInfo) -> None:
        """Kills what a dead keeper may have left: normally nothing, because the sandbox dies with it."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            record = json.loads((self._root / info.instance_id / "keeper.json").read_text())
            if record["child"] and start_time(record["child"]) == record["child_started"]:
                os.kill(record["child"], signal.SIGKILL)
            cgroups.kill_and_remove(record["cgroups"], within_s=0.5)
        for path in (self._ground.config.socket_of, self._ground.config.commands_of):
            path(info.instance_id).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (self._root / info.instance_id / "work/work").rmdir()

    # --- start ----------------------------------------------------------------------------------------------------

    async def start(self, spec: InstanceSpec) -> InstanceInfo:
        """Starts an instance; see `Driver.start`."""
        self._starting.add(spec.instance_id)
        try:
            return await self._start(spec)
        finally:
            self._starting.discard(spec.instance_id)

    async def _start(self, spec: InstanceSpec) -> InstanceInfo:
        uid = self._ground.accounts.uid_of(spec.project_id)
        lower = await self._slugs.get(spec.slug_digest, uid, spec.slug)
        directory = self._directories.make(spec.instance_id)
        try:
            order = await self._order(spec, directory, lower, uid)
            report = await self._start_keeper(order)
            if error := report.get("error"):
                raise INSTANCE_START_FAILED(f"the sandbox did not start: {error}")
        except (ShipoffError, OSError, asyncio.CancelledError) as error:
            _end_keeper(directory)  # it may have come up and only not told us in time
            await asyncio.shield(self._directories.delete(directory))
            if isinstance(error, OSError):
                raise INSTANCE_START_FAILED(f"the sandbox cannot be prepared: {error}") from error
            raise
        record = json.loads((directory / "keeper.json").read_text())
        info = _info(record)
        if not self._follow(info, record["started"]):  # over before we looked: we may have been paused, and it is short
            info = replace(info, pid=0, exit=self._announce(info))
        return info

    async def _order(self, spec: InstanceSpec, directory: Path, lower: Path, uid: int | None) -> dict[str, Any]:
        ground, limits = self._ground, spec.limits
        app = await asyncio.to_thread(self._app, directory, lower, uid)
        egress = await ground.egress.open(spec.project_id)
        sandbox = ground.sandbox(app, spec.project_id, spec.runtime, limits, egress=egress)
        groups = ground.cgroups.make(
            self._group(spec.instance_id),
            memory_bytes=limits.memory_bytes,
            processes=limits.processes,
            cpus=limits.cpus,
        )
        launch = ground.launch(sandbox, groups)
        env = run_environment(spec) | dict(spec.env) | ({"PORT": str(spec.port)} if spec.port else {})
        sockets = {"commands": str(ground.config.commands_of(spec.instance_id))}
        if spec.port:
            sockets["dials"] = str(ground.config.socket_of(spec.instance_id))
        return {
            "launch": launch._asdict(),
            "orders": ground.orders(sandbox, spec.run, spec.root_dir, env, limits, spec.port, spec.instance_id),
            "dir": str(directory),
            "sockets": sockets,
            "log_bytes": limits.log_bytes,
            "line_bytes": limits.line_bytes,
            "owner_pid": ground.config.owner_pid,
            "owner_start": start_time(ground.config.owner_pid),
            "meta": {
                "instance_id": spec.instance_id,
                "project_id": spec.project_id,
                "release_id": spec.release_id,
                "address": f"dial:{sockets['dials']}" if spec.port else "",
                "started_at_ms": time.time_ns() // 1_000_000,
                "slug": str(lower),
                "port": spec.port,
            },
        }

    def _app(self, directory: Path, lower: Path, uid: int | None) -> Path | Overlay:
        """The instance's view of the slug: what it writes is its own."""
        if not self._overlay:
            target = directory / "app"
            subprocess.run(["cp", "-a", "--reflink=auto", str(lower), str(target)], check=True, capture_output=True)
            return target
        overlay = Overlay(lower, directory / "upper", directory / "work")
        for path in (overlay.upper, overlay.work):
            path.mkdir()
        if uid is not None:
            give(overlay.upper, uid)
        return overlay

    async def _start_keeper(self, order: Mapping[str, Any]) -> dict[str, Any]:
        process = await self.spares.take()
        try:
            async with asyncio.timeout(REPORT_DEADLINE_S):
                said, _ = await process.communicate(orjson.dumps(order))
            report: dict[str, Any] = json.loads(said)
        except (TimeoutError, ValueError) as error:
            raise INSTANCE_START_FAILED(f"the instance's keeper did not report: {error!r}") from error
        return report

    # --- stop -----------------------------------------------------------------------------------------------------

    async def stop(self, instance_id: str, grace_s: float) -> ExitInfo:
        """Stops an instance; see `Driver.stop`."""
        known = self._running.get(instance_id)
        if known is None:
            return self._exit_of(instance_id)
        write_json(self._root / instance_id / "stop.json", {"grace_s": grace_s})
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(known.keeper, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s + KILL_MARGIN_S):
                return await asyncio.shield(known.ended)
        except TimeoutError:
            log.error("the keeper of %s does not stop it: killed", instance_id)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(known.keeper, signal.SIGKILL)
        async with asyncio.timeout(KILL_MARGIN_S):
            return await asyncio.shield(known.ended)

    def _exit_of(self, instance_id: str) -> ExitInfo:
        info = self._ended.get(instance_id)
        if info is None or info.exit is None:
            raise INSTANCE_UNKNOWN(f"there is no instance {instance_id}")
        return info.exit

    async def remove(self, instance_id: str) -> None:
        """Deletes what is left of an ended instance."""
        if self._ended.pop(instance_id, None) is not None:
            await self._directories.delete(self._root / instance_id)

    def connections(self, instance_id: str) -> int:
        """Established connections to the instance's port, read from its network namespace (proc(5), net/tcp)."""
        if instance_id not in self._running:
            return 0
        record = json.loads((self._root / instance_id / "keeper.json").read_text())
        if start_time(record["child"]) != record["child_started"]:
            return 0
        return sum(_established(Path(f"/proc/{record['child']}/net", name), record["port"]) for name in ("tcp", "tcp6"))

    def usage(self) -> dict[str, Usage]:
        """What each running instance uses; see `Driver.usage`."""
        processes, found = Processes(), {}
        for instance_id in list(self._running):
            with contextlib.suppress(OSError, ValueError, KeyError):
                record = json.loads((self._root / instance_id / "keeper.json").read_text())
                found[instance_id] = processes.usage(record["child"], record["cgroups"])
        return found

    # --- telling --------------------------------------------------------------------------------------------------

    def all(self) -> list[InstanceInfo]:
        """Running and ended ones."""
        self._discover()
        return [known.info for known in self._running.values()] + list(self._ended.values())

    def directory(self, instance_id: str) -> Path:
        """Where an instance's log is.

        Raises:
            ShipoffError: INSTANCE_UNKNOWN.
        """
        if instance_id not in self._running and instance_id not in self._ended:
            raise INSTANCE_UNKNOWN(f"there is no instance {instance_id}")
        return self._root / instance_id

    def slugs_in_use(self) -> set[Path]:
        """The unpacked slugs that running instances are mounted on."""
        used = set()
        for instance_id in self._running:
            with contextlib.suppress(OSError, ValueError, KeyError):
                used.add(Path(json.loads((self._root / instance_id / "keeper.json").read_text())["slug"]))
        return used

    def watch(self) -> AsyncIterator[ExitInfo]:
        """Yields exits from the moment of this call; see `Driver.watch`."""
        queue: asyncio.Queue[ExitInfo | None] = asyncio.Queue(MAX_PENDING_EXITS)
        self._watchers.add(queue)
        return self._exits(queue)

    async def _exits(self, queue: asyncio.Queue[ExitInfo | None]) -> AsyncIterator[ExitInfo]:
        try:
            while (ended := await queue.get()) is not None:
                yield ended
        finally:
            self._watchers.discard(queue)

    def close(self) -> None:
        """Stops watching; the instances run on."""
        loop = asyncio.get_running_loop()
        for known in self._running.values():
            loop.remove_reader(known.keeper)
            os.close(known.keeper)
            known.ended.cancel()
        self._running.clear()
        for watcher in self._watchers:
            with contextlib.suppress(asyncio.QueueFull):
                watcher.put_nowait(None)

    @staticmethod
    def _group(instance_id: str) -> str:
        return instance_id


def _info(record: Mapping[str, Any]) -> InstanceInfo:
    return InstanceInfo(
        record["instance_id"], record["project_id"], record["release_id"], record["address"], record["started_at_ms"],
        record["pid"],
    )  # fmt: skip


def _established(table: Path, port: int) -> int:
    """The app's ends of connections: local port, state 01."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return 0
    return sum(row[3] == "01" and int(row[1].rpartition(":")[2], 16) == port for row in rows)


def _end_keeper(directory: Path) -> None:
    """Kills the keeper that a directory records, and with it its sandbox."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        record = json.loads((directory / "keeper.json").read_text())
        if start_time(record["pid"]) == record["started"]:
            os.kill(record["pid"], signal.SIGKILL)
