"""Keeps what should run running, and nothing else.

Level-triggered: `current` releases (those of LIVE deployments, and of one that has flipped the routes and waits for the
routers) each get their healthy instances and an endpoints record that names exactly these. Whatever else runs, unless a
deployment has claimed it while it starts, is retired. The same loop serves a crash, a restart of the orchestrator and a
restart of the whole platform.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.deployments import Stage
from kernel.errors import ShipoffError
from kernel.sealing import Sealer
from orchestrator.drivers.base import ExitInfo, InstanceInfo
from orchestrator.failures import ProcessFailedError
from orchestrator.instances import Instances
from orchestrator.release.drain import Drain
from orchestrator.release.health import Check, wait_until_healthy
from orchestrator.release.release import Release, from_row
from orchestrator.routes import RouteTable

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)

RESTART_S: Final = (0.0, 1.0, 3.0, 10.0, 30.0, 60.0)  # before the n-th restart within ten minutes
LOOK_EVERY_S: Final = 5.0  # a hint may be lost; the loop looks by itself too
PRUNE_EVERY_S: Final = 60.0  # unpacked slugs of retired releases take disk until then
SETTLE_S: Final = 10.0  # what served before may take this long to serve again before we call ourselves ready without it
STARTS: Final = 4  # releases that start at a time when the platform comes up
WANTED: Final = 1  # instances of a release


def _ignore(_: Stage) -> None:
    """Nobody asked."""


class Keeper:
    """The loop. `settled` is set once what should run has been brought up, or has had its time."""

    def __init__(
        self,
        database: Database,
        instances: Instances,
        table: RouteTable,
        drain: Drain,
        sealer: Sealer,
        start_s: float,
    ) -> None:
        self._database, self._instances, self._table, self._drain = database, instances, table, drain
        self._sealer, self._start_s = sealer, start_s
        self._look = asyncio.Event()
        self.settled = asyncio.Event()
        self._claimed: set[str] = set()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._starts = asyncio.Semaphore(STARTS)
        self._task: asyncio.Task[None] | None = None
        self._pruner: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins keeping in the background."""
        self._instances.on_exit(self._exited)
        self._task = tasks.spawn(self._run(), "keeper")
        self._pruner = tasks.spawn(self._prune(), "prunes slugs")

    async def stop(self) -> None:
        """Stops keeping; the instances go on running."""
        await tasks.stop(self._task, self._pruner, *self._busy.values())

    def look(self) -> None:
        """Says that what should run may have changed."""
        self._look.set()

    @contextmanager
    def claim(self, release_id: str) -> Iterator[None]:
        """While the block runs, the release's instances are the caller's affair."""
        self._claimed.add(release_id)
        try:
            yield
        finally:
            self._claimed.discard(release_id)
            self._look.set()

    async def bring_up(self, release: Release, host: str, enter: Callable[[Stage], None] = _ignore) -> InstanceInfo:
        """Starts one instance and returns it healthy and marked ready; one that fails is stopped.

        Args:
            release: whose.
            host: the Host header of the health check.
            enter: told when the start begins and when the health check begins.

        Raises:
            ProcessFailedError: the app ended, did not listen, or did not pass its health check.
            ShipoffError: the driver's, or the database is away.
        """
        enter(Stage.START)
        info = await self._instances.start(release)
        enter(Stage.HEALTH)
        try:
            await self._gate(release, info, host)
            async with self._database.transaction() as tx:
                await self._instances.mark(tx, info.instance_id, "ready", info.address)
        except BaseException:  # also when cancelled: a newer deployment took over
            await asyncio.shield(self._instances.stop(info.instance_id, 0.0))
            raise
        return info

    async def ensure(self, release: Release, host: str, enter: Callable[[Stage], None] = _ignore) -> list[InstanceInfo]:
        """Healthy instances of a claimed release: those that run already, and as many more as it should have.

        Raises:
            ProcessFailedError: an app ended, did not listen, or did not pass its health check.
            ShipoffError: the driver's, or the database is away.
        """
        healthy = await self._healthy(release)
        while len(healthy) < WANTED:
            healthy.append(await self.bring_up(release, host, enter))
        return healthy

    async def _gate(self, release: Release, info: InstanceInfo, host: str) -> None:
        check = Check(release.plan.health.path, host, release.health_strict)
        exited = self._instances.exited(info.instance_id)
        try:
            await wait_until_healthy(info.address, check, exited, self._start_s)
        except ShipoffError as error:
            if exited.done():
                end = exited.result()
                raise ProcessFailedError(error, end.exit_status, end.last_lines) from error
            raise ProcessFailedError(error, 0, await self._instances.last_lines(info.instance_id)) from error

    async def put_endpoints(self, tx: Transaction, release_id: str, infos: list[InstanceInfo]) -> int:
        """Writes the endpoints record of a release."""
        endpoints = [{"address": i.address, "instance": i.instance_id, "weight": 1, "zone": ""} for i in infos]
        return await self._table.put_endpoints(tx, release_id, endpoints, "running")

    def _exited(self, _: ExitInfo) -> None:
        self._look.set()

    async def _run(self) -> None:
        while True:
            self._look.clear()
            try:
                await self._look_once()
                if not self.settled.is_set():
                    await self._settle()
            except ShipoffError as error:
                log.warning("the keeper waits: %s", error)
            except Exception:  # this loop is what brings apps back: it never ends
                log.exception("the keeper could not look")
            try:
                await asyncio.wait_for(self._look.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def _settle(self) -> None:
        if self._busy:
            await asyncio.wait(list(self._busy.values()), timeout=SETTLE_S)
        self.settled.set()

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            try:
                await self._instances.prune()
            except (ShipoffError, OSError) as error:
                log.warning("retired slugs stay for now: %s", error)

    async def _look_once(self) -> None:
        current = {row["id"]: row for row in await self._database.fetch(SQL["current_releases"])}
        running: dict[str, list[InstanceInfo]] = {}
        for info in await self._instances.running():
            running.setdefault(info.release_id, []).append(info)
        for release_id, row in current.items():
            if row["kind"] == "dynamic" and not row["warm"] and release_id not in self._claimed:
                self._begin(release_id, self._keep(from_row(row, self._sealer), row["host"]))
        for release_id, infos in running.items():
            if release_id not in current and release_id not in self._claimed:
                self._begin(release_id, self._drain.retire(release_id, [info.instance_id for info in infos]))

    def _begin(self, release_id: str, work: Any) -> None:
        if release_id in self._busy:
            work.close()  # what is under way looks again when it is done
            return
        task = self._busy[release_id] = tasks.spawn(self._guarded(work), f"keeps {release_id}")
        task.add_done_callback(lambda _: self._busy.pop(release_id, None))

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except (ShipoffError, ProcessFailedError) as error:
            log.warning("the keeper will look again: %s", error)

    async def _keep(self, release: Release, host: str) -> None:
        """Makes the ready instances and the endpoints record of one current release what they should be."""
        healthy = await self._healthy(release)
        if len(healthy) >= WANTED and await self._named(release.id) == {info.instance_id for info in healthy}:
            return
        await self._publish(release, healthy)  # at once: no router should go on trying a dead instance
        crashes = int(await self._database.fetchval(SQL["recent_crashes"], release.id))
        if crashes:
            await asyncio.sleep(RESTART_S[min(crashes, len(RESTART_S)) - 1])
        async with self._starts:
            while len(healthy) < WANTED:
                healthy.append(await self.bring_up(release, host))
        await self._publish(release, healthy)
        self._look.set()

    async def _healthy(self, release: Release) -> list[InstanceInfo]:
        ready = {row["id"] for row in await self._database.fetch(SQL["ready_instances"], release.id)}
        ours = [info for info in await self._instances.running() if info.release_id == release.id]
        for info in ours:
            if info.instance_id not in ready:  # begun by a process that was killed before the gate was passed
                await self._instances.stop(info.instance_id, 0.0)
        return [info for info in ours if info.instance_id in ready]

    async def _named(self, release_id: str) -> set[str]:
        record = await self._database.fetchval(SQL["get_endpoints"], release_id)
        return {endpoint["instance"] for endpoint in record["endpoints"]} if record else set()

    async def _publish(self, release: Release, healthy: list[InstanceInfo]) -> None:
        if await self._named(release.id) == {info.instance_id for info in healthy}:
            return
        async with self._database.transaction() as tx:
            # Only while it is current: a release that was replaced meanwhile must not come back into the table.
            if await tx.fetchval(SQL["is_current"], release.id):
                await self.put_endpoints(tx, release.id, healthy)
