"""The instances of this orchestrator's driver: started, watched, stopped, each with its row and its log shipper."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kernel import ids, tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.errors import ShipoffError
from kernel.events import Envelope, InstanceStateChanged
from kernel.streams import publish
from orchestrator.build.artifact import Artifacts
from orchestrator.drivers.base import Driver, ExitInfo, InstanceInfo, InstanceSpec
from orchestrator.logs import InstanceLog, LogClient
from orchestrator.release.release import Release

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)
OnExit = Callable[[ExitInfo], None]


class Instances:
    """What runs here."""

    def __init__(self, database: Database, driver: Driver, artifacts: Artifacts, logs: LogClient) -> None:
        self._database, self._driver, self._artifacts, self._logs = database, driver, artifacts, logs
        self._exits: dict[str, asyncio.Future[ExitInfo]] = {}
        self._shippers: dict[str, InstanceLog] = {}
        self._listeners: list[OnExit] = []
        self._watcher: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Adopts what an earlier process left running, and settles the rows of what has ended meanwhile."""
        self._watcher = tasks.spawn(self._watch(), "instance exits")
        known = {info.instance_id: info for info in await self._driver.list()}
        for row in await self._database.fetch(SQL["open_instances"]):
            if row["id"] not in known:
                await self._settle(row["id"], "crashed", 0)
        for info in known.values():
            self._adopt(info, *await self._log_state(info))
            if info.exit is not None:
                await self._ended(info.exit)

    async def close(self) -> None:
        """Lets go of the instances; they go on running."""
        await tasks.stop(self._watcher)
        for shipper in list(self._shippers.values()):
            await shipper.stop()

    def on_exit(self, listener: OnExit) -> None:
        """Calls `listener` for every exit from now on, `stop`'s included."""
        self._listeners.append(listener)

    def exited(self, instance_id: str) -> asyncio.Future[ExitInfo]:
        """Done when the instance has ended."""
        return self._exits.setdefault(instance_id, asyncio.get_running_loop().create_future())

    async def running(self) -> list[InstanceInfo]:
        """What runs now, by the driver's word."""
        return [info for info in await self._driver.list() if info.exit is None]

    async def start(self, release: Release) -> InstanceInfo:
        """Starts one more instance of a release; it has not passed its health check yet.

        Raises:
            ShipoffError: from the driver or the object store.
        """
        instance_id = ids.new("ins")
        await self._database.execute(SQL["add_instance"], instance_id, release.id, release.project_id)

        async def slug() -> Path:
            return await self._artifacts.fetch_slug(release.artifact)

        spec = InstanceSpec(
            instance_id=instance_id,
            project_id=release.project_id,
            release_id=release.id,
            slug_digest=release.artifact,
            slug=slug,
            run=release.plan.run,
            runtime=release.plan.runtime,
            root_dir=release.plan.root_dir,
            env={**release.plan.run_env, **release.env},
        )
        try:
            info = await self._driver.start(spec)
        except (ShipoffError, asyncio.CancelledError):
            await self._settle(instance_id, "crashed", 0)
            raise
        self._adopt(info, 0, release.deployment_id)
        return info

    async def mark(
        self, tx: Transaction, instance_id: str, state: str, address: str = "", exit_status: int = 0
    ) -> None:
        """Writes an instance's state and its event; an ended instance stays ended."""
        row = await tx.fetchrow(SQL["set_instance"], instance_id, state, address, exit_status)
        if row is not None:
            event = InstanceStateChanged(instance_id, row["project_id"], row["release_id"], state, exit_status)
            await publish(tx, Envelope(event, key=f"{row['project_id']}/instances"))

    async def stop(self, instance_id: str, grace_s: float) -> None:
        """SIGTERM, grace, SIGKILL; then the instance is forgotten by the driver, its last lines shipped."""
        try:
            end = await self._driver.stop(instance_id, grace_s)
        except ShipoffError as error:
            log.info("instance %s was gone already: %s", instance_id, error)
            await self._settle(instance_id, "stopped", 0)
            return
        await self._settle(instance_id, "stopped", end.exit_status)
        await self._forget(instance_id)

    async def connections(self, instance_id: str) -> int:
        """Connections that are established to the instance's port."""
        return await self._driver.connections(instance_id)

    async def prune(self) -> None:
        """Deletes what the driver unpacked for releases that nobody serves; it can be fetched again."""
        kept = {row["artifact"] for row in await self._database.fetch(SQL["kept_slugs"])}
        await self._driver.prune(kept)

    async def last_lines(self, instance_id: str, count: int = 30) -> list[str]:
        """The end of an instance's output."""
        lines: deque[str] = deque(maxlen=count)
        offset = 0
        while (page := await self._driver.logs(instance_id, offset)).lines:
            lines.extend(line.text for line in page.lines)
            offset = page.next
        return list(lines)

    async def _watch(self) -> None:
        async for end in self._driver.watch():
            try:
                await self._ended(end)
            except Exception:  # one exit that cannot be handled must not hide the next
                log.exception("the end of %s could not be handled", end.instance_id)

    async def _ended(self, end: ExitInfo) -> None:
        future = self.exited(end.instance_id)
        if not future.done():
            future.set_result(end)
        if end.reason != "stopped":
            try:
                await self._settle(end.instance_id, "crashed", end.exit_status)
            except ShipoffError as error:
                log.warning("the end of %s is not recorded yet: %s", end.instance_id, error)
        for listener in self._listeners:
            listener(end)
        if end.reason != "stopped":
            await self._forget(end.instance_id)

    async def _forget(self, instance_id: str) -> None:
        shipper = self._shippers.pop(instance_id, None)
        if shipper is not None:
            await shipper.finish()
        self._exits.pop(instance_id, None)
        await self._driver.remove(instance_id)

    async def _settle(self, instance_id: str, state: str, exit_status: int) -> None:
        async with self._database.transaction() as tx:
            await self.mark(tx, instance_id, state, exit_status=exit_status)

    async def _log_state(self, info: InstanceInfo) -> tuple[int, str]:
        row = await self._database.fetchrow(SQL["instance_log_state"], info.instance_id)
        return (int(row["log_offset"]), str(row["deployment_id"])) if row is not None else (0, "")

    def _adopt(self, info: InstanceInfo, offset: int, deployment_id: str) -> None:
        shipper = InstanceLog(self._logs, self._driver, self._database, info, offset, deployment_id)
        self._shippers[info.instance_id] = shipper
        shipper.start()
