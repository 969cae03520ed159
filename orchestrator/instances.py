"""The instances of this orchestrator's driver: started, watched, stopped, each with its row and its log shipper."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kernel import ids, tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import ShipoffError
from kernel.events import Envelope, InstanceStateChanged
from kernel.streams import publish
from orchestrator.build.artifact import Artifacts
from orchestrator.build.running import Process
from orchestrator.drivers.base import (
    Command,
    Driver,
    ExitInfo,
    InstanceInfo,
    InstanceSpec,
    Limits,
    OnLine,
    Session,
)
from orchestrator.limits import instance_limits
from orchestrator.logs import InstanceLog, JobLog, LogClient
from orchestrator.release.release import Release

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)
OnExit = Callable[[ExitInfo], None]


@dataclass(frozen=True, slots=True)
class End:
    """How an instance ended, for its row.

    Attributes:
        state: stopped (we wanted it) or crashed.
        reason: as `ExitInfo.reason`, or unhealthy (it did not pass its gate).
        last_lines: of its output; kept for a crash only.
    """

    state: str
    reason: str
    exit_status: int = 0
    last_lines: tuple[str, ...] = ()


NO_END: Final = End("", "")
LOST: Final = End("crashed", "lost")
STOPPED: Final = End("stopped", "stopped")
UNHEALTHY: Final = End("crashed", "unhealthy")
WEB_PORT: Final = 3000  # each instance has a network of its own


class Instances:
    """What runs here.

    Args:
        ceiling: what an instance gets at most, whatever its plan asks for.
    """

    def __init__(
        self, database: Database, driver: Driver, artifacts: Artifacts, logs: LogClient, ceiling: Limits
    ) -> None:
        self._database, self._driver, self._artifacts, self._logs = database, driver, artifacts, logs
        self._ceiling = ceiling
        self._keeps = False
        self._pending: set[str] = set()
        self._forgetting: set[str] = set()
        self._loose: set[asyncio.Task[None]] = set()
        self._exits: dict[str, asyncio.Future[ExitInfo]] = {}
        self._shippers: dict[str, InstanceLog] = {}
        self._listeners: list[OnExit] = []
        self._watcher: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begins to watch for exits; what an earlier process left running is taken up by the first `survey`."""
        self._watcher = tasks.spawn(self._watch(), "instance exits")

    async def keep(self, ours: bool) -> None:
        """Says whether this orchestrator is the one that keeps: only that one ships logs and forgets what has ended."""
        self._keeps = ours
        if not ours:
            for instance_id, shipper in list(self._shippers.items()):
                if not isinstance(shipper, JobLog):
                    await shipper.stop()
                    self._shippers.pop(instance_id, None)

    async def close(self) -> None:
        """Lets go of the instances; they go on running."""
        await tasks.stop(self._watcher, *self._loose)
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

    async def find(self, instance_id: str) -> InstanceInfo | None:
        """What the driver knows of an instance, running or ended."""
        return next((info for info in await self._driver.list() if info.instance_id == instance_id), None)

    @contextmanager
    def pending(self, count: int) -> Iterator[list[str]]:
        """Ids for new instances, which are the caller's affair while the block runs."""
        instance_ids = [ids.new("ins") for _ in range(count)]
        with self.held(*instance_ids):
            yield instance_ids

    @contextmanager
    def held(self, *instance_ids: str) -> Iterator[None]:
        """While the block runs, these instances are the caller's affair."""
        self._pending.update(instance_ids)
        try:
            yield
        finally:
            self._pending.difference_update(instance_ids)

    def is_pending(self, instance_id: str) -> bool:
        """Whether somebody here is bringing it up."""
        return instance_id in self._pending

    async def start(
        self, release: Release, process: Process, instance_id: str, on_line: OnLine | None = None
    ) -> InstanceInfo:
        """Starts one more instance of a release; it has not passed its health check yet.

        Args:
            release: whose.
            process: what it runs.
            instance_id: of `pending`.
            on_line: gets the output instead of the app's log; such an instance is a job, whose good end is no crash.

        Raises:
            ShipoffError: from the driver or the object store.
        """
        await self._database.execute(SQL["add_instance"], instance_id, release.id, release.project_id, process.name)
        try:
            info = await self._driver.start(self._spec(release, process, instance_id))
        except (ShipoffError, asyncio.CancelledError):
            await asyncio.shield(self._settle(instance_id, End("crashed", "start")))
            raise
        if on_line is not None:
            await self.follow(info, on_line)
        elif self._keeps:
            self._adopt(info, 0, release.deployment_id)
        return info

    async def follow(self, info: InstanceInfo, on_line: OnLine) -> None:
        """Hands a job's output on, from its beginning; see `start`."""
        if (shipper := self._shippers.pop(info.instance_id, None)) is not None:
            await shipper.stop()
        self._ship(info, JobLog(self._driver, info, on_line))

    def _spec(self, release: Release, process: Process, instance_id: str) -> InstanceSpec:
        async def slug() -> Path:
            return await self._artifacts.fetch_slug(release.artifact)

        return InstanceSpec(
            instance_id=instance_id,
            project_id=release.project_id,
            release_id=release.id,
            slug_digest=release.artifact,
            slug=slug,
            run=process.command,
            runtime=release.plan.runtime,
            root_dir=release.plan.root_dir,
            env={**release.plan.run_env, **release.env, "SHIPOFF_PROCESS": process.name},
            port=WEB_PORT if process.kind == "web" else 0,
            limits=instance_limits(release.plan.limits, self._ceiling),
        )

    async def mark(self, tx: Transaction, instance_id: str, state: str, address: str = "", end: End = NO_END) -> None:
        """Writes an instance's state and its event; an ended instance stays ended."""
        row = await tx.fetchrow(
            SQL["set_instance"], instance_id, state, address, end.exit_status, end.reason, list(end.last_lines)
        )
        if row is not None:
            event = InstanceStateChanged(instance_id, row["project_id"], row["release_id"], state, end.exit_status)
            await publish(tx, Envelope(event, key=f"{row['project_id']}/instances"))

    async def stop(self, instance_id: str, grace_s: float, why: End = STOPPED) -> None:
        """SIGTERM, grace, SIGKILL; then the instance is forgotten by the driver, its last lines shipped.

        Args:
            grace_s: between SIGTERM and SIGKILL, seconds.
            why: for its row, when the instance had not ended by itself.
        """
        try:
            end = await self._driver.stop(instance_id, grace_s)
        except ShipoffError as error:
            log.info("instance %s was gone already: %s", instance_id, error)
            await self._settle(instance_id, why)
            return
        if end.reason == "stopped":
            lines = tuple(end.last_lines) if why.state == "crashed" else ()
            await self._settle(instance_id, replace(why, exit_status=end.exit_status, last_lines=lines))
        else:
            await self._settle(instance_id, _end_of(end))
        await self._forget(instance_id)

    async def told(self, instance_id: str) -> None:
        """Waits, bounded, until the output of an ended instance has been handed on."""
        if (shipper := self._shippers.get(instance_id)) is not None:
            await shipper.finish()

    async def discard(self, instance_id: str) -> None:
        """Ends an instance that was to be and is not wanted any more, if it was begun at all.

        Raises:
            ShipoffError: the database is away. The instance is ended all the same, and the next survey writes it down.
        """
        try:
            begun = await self._database.fetchval(SQL["is_open"], instance_id)
        except ShipoffError:
            await self.stop(instance_id, 0.0)
            raise
        if begun:
            await self.stop(instance_id, 0.0)

    async def survey(self) -> list[Row]:
        """Makes rows and processes agree, and returns the rows of what runs.

        A row without an instance is ended, an instance without a row is stopped, and what ended while nobody watched is
        written down and forgotten.
        """
        rows = await self._database.fetch(SQL["open_instances"])  # before the list: who is in it had its row before
        known = {info.instance_id: info for info in await self._driver.list()}
        for row in rows:
            if row["id"] not in self._pending:
                await self._settle_ended(row, known.get(row["id"]))
        running = {instance_id for instance_id, info in known.items() if info.exit is None}
        for instance_id in running - {row["id"] for row in rows}:
            if not await self._database.fetchval(SQL["is_open"], instance_id):  # not one that began a moment ago
                log.warning("instance %s is wanted by nobody: stopped", instance_id)
                await self.stop(instance_id, 0.0)
        for info in known.values():
            await self._look_after(info)
        return [row for row in rows if row["id"] in running]

    async def _look_after(self, info: InstanceInfo) -> None:
        """Ships the log of what nobody here does yet, and forgets what has ended."""
        instance_id = info.instance_id
        if instance_id in self._pending or instance_id in self._forgetting:
            return
        if instance_id not in self._shippers:
            self._adopt(info, *await self._log_state(info))
        if info.exit is not None:
            task = tasks.spawn(self._forget(instance_id), f"forgets {instance_id}")  # whose last lines may take seconds
            self._loose.add(task)
            task.add_done_callback(self._loose.discard)

    async def _settle_ended(self, row: Row, info: InstanceInfo | None) -> None:
        if info is None and row["settled"]:
            log.warning("instance %s is gone: nobody knows how it ended", row["id"])
            await self._settle(row["id"], LOST)
        elif info is not None and info.exit is not None:
            await self._settle(row["id"], _end_of(info.exit))

    async def connections(self, instance_id: str) -> int:
        """Connections that are established to the instance's port."""
        return await self._driver.connections(instance_id)

    async def exec(self, instance_id: str, command: Command) -> Session:
        """Runs a further command in an instance.

        Raises:
            ShipoffError: INSTANCE_UNKNOWN, EXEC_FAILED.
        """
        return await self._driver.exec(instance_id, command)

    async def prune(self) -> None:
        """Deletes what the driver unpacked for releases that nobody serves, and the rows of what ended a week ago."""
        await self._database.execute(SQL["forget_ended"])
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
        recorded = end.reason != "stopped" and await self._recorded(end)
        for listener in self._listeners:
            listener(end)
        if recorded and end.instance_id in self._shippers:
            await self._forget(end.instance_id)

    async def _recorded(self, end: ExitInfo) -> bool:
        """Writes down how it ended; False if that is left to a survey, for which the driver must still know."""
        try:
            await self._settle(end.instance_id, self._meaning(end))
        except ShipoffError as error:
            log.warning("the end of %s is not recorded yet: %s", end.instance_id, error)
            return False
        return True

    def _meaning(self, end: ExitInfo) -> End:
        if isinstance(self._shippers.get(end.instance_id), JobLog) and (end.reason, end.exit_status) == ("exit", 0):
            return End("stopped", "exit")
        return _end_of(end)

    async def _forget(self, instance_id: str) -> None:
        if instance_id in self._forgetting or (instance_id not in self._shippers and not self._keeps):
            return
        self._forgetting.add(instance_id)
        try:
            if (shipper := self._shippers.get(instance_id)) is not None:
                await shipper.finish()
            self._shippers.pop(instance_id, None)
            self._exits.pop(instance_id, None)
            await self._driver.remove(instance_id)
        finally:
            self._forgetting.discard(instance_id)

    async def _settle(self, instance_id: str, end: End) -> None:
        async with self._database.transaction() as tx:
            await self.mark(tx, instance_id, end.state, end=end)

    async def _log_state(self, info: InstanceInfo) -> tuple[int, str]:
        row = await self._database.fetchrow(SQL["instance_log_state"], info.instance_id)
        return (int(row["log_offset"]), str(row["deployment_id"])) if row is not None else (0, "")

    def _adopt(self, info: InstanceInfo, offset: int, deployment_id: str) -> None:
        self._ship(info, InstanceLog(self._logs, self._driver, self._database, info, offset, deployment_id))

    def _ship(self, info: InstanceInfo, shipper: InstanceLog) -> None:
        self._shippers[info.instance_id] = shipper
        shipper.start()


def _end_of(end: ExitInfo) -> End:
    """What an exit means for its row."""
    if end.reason == "stopped":
        return End("stopped", end.reason, end.exit_status)
    return End("crashed", end.reason, end.exit_status, tuple(end.last_lines))
