"""Keeps what should run running, and nothing else.

Level-triggered: `current` releases (those of LIVE deployments, and of one that has flipped the routes and waits for the
routers) each get the instances that their scales ask for and an endpoints record that names exactly the ready ones.
Whatever else runs, unless a deployment has claimed it while it starts, is retired. The same loop serves a crash, a
change of scale, a restart of the orchestrator and a restart of the whole platform. Of several orchestrators one keeps,
by a lease; what another has in the making is in the database, and so left alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.deployments import Stage
from kernel.errors import ShipoffError
from kernel.sealing import Sealer
from orchestrator.build.running import WEB
from orchestrator.convergence import Start, Wait
from orchestrator.drivers.base import ExitInfo, InstanceInfo
from orchestrator.endpoints import Empty, Endpoints
from orchestrator.failures import ProcessFailedError
from orchestrator.instances import Instances
from orchestrator.leases import Lease, Leases, Writing
from orchestrator.liveness import Liveness
from orchestrator.look import Observer, Work
from orchestrator.plan_limits import LIMIT_INSTANCES_TOTAL, Room
from orchestrator.release.drain import Drain
from orchestrator.release.release import Release, from_row
from orchestrator.replicas import Place, Replicas
from orchestrator.routes import RouteTable
from orchestrator.scaling import scales_of
from orchestrator.starter import Starter

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0  # a hint may be lost; the loop looks by itself too
LIVENESS_S: Final = 10.0  # between two rounds of questions to what serves
PRUNE_EVERY_S: Final = 60.0  # unpacked slugs of retired releases take disk until then
FAILED_S: Final = 0.5  # after a step that failed: a fault of the platform must not be tried in a busy loop
TASK: Final = ("", "keeper")  # the lease's name
SETTLE_S: Final = 10.0  # what served before may take this long to serve again before we call ourselves ready without it


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
        starter: Starter,
        leases: Leases,
    ) -> None:
        self._database, self._instances, self._table, self._drain = database, instances, table, drain
        self._sealer, self._starter, self._leases = sealer, starter, leases
        self._endpoints = Endpoints(table)
        self.liveness = Liveness(database, LIVENESS_S, self.look)
        self._observer = Observer(database, instances, self.liveness)
        self._room = Room(database)
        self._replicas = Replicas(starter, self._endpoints, drain, self._room)
        self._look = asyncio.Event()
        self.settled = asyncio.Event()
        self._lease: Lease | None = None
        self._claimed: set[str] = set()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._pruner: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins keeping in the background."""
        self._instances.on_exit(self._exited)
        self.liveness.start()
        self._task = tasks.spawn(self._run(), "keeper")
        self._pruner = tasks.spawn(
            tasks.repeat(self._instances.prune, PRUNE_EVERY_S, "retired slugs stay for now"), "prunes slugs"
        )

    async def stop(self) -> None:
        """Stops keeping; the instances go on running, and another orchestrator may keep them at once."""
        await self.liveness.stop()
        await tasks.stop(self._task, self._pruner, *self._busy.values())
        if self._lease is not None:
            with suppress(ShipoffError):  # it runs out
                await self._leases.release(self._lease)

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

    async def ensure(self, release: Release, host: str, enter: Callable[[Stage], None] = _ignore) -> list[InstanceInfo]:
        """Healthy instances of the web process of a claimed release: those that run, and as many more as are due.

        How many is what the environment's scale asks for, at least one.

        Args:
            release: whose.
            host: the Host header of the health check.
            enter: told when the start begins and when the health check begins.

        Raises:
            ProcessFailedError: an app ended, did not listen, or did not pass its health check; what had been started
                beside it is stopped.
            ShipoffError: LIMIT_INSTANCES_TOTAL, the driver's, or the database is away.
        """
        web = next(process for process in release.plan.processes if process.name == WEB)
        rows = await self._database.fetch(SQL["scales_of"], release.project_id, release.environment)
        healthy = await self._healthy(release)
        missing = max(1, scales_of(rows, release.plan)[WEB].desired) - len(healthy)
        if missing > 0:
            missing = await self._room.for_release(release.id, missing)
            if not missing and not healthy:
                raise LIMIT_INSTANCES_TOTAL("all instances that the team's plan gives are running")
        if missing > 0:
            healthy += await self._starter.bring_up(release, web, host, missing, enter)
        return healthy

    async def _healthy(self, release: Release) -> list[InstanceInfo]:
        ready = {row["id"] for row in await self._database.fetch(SQL["ready_endpoints"], release.id)}
        return [info for info in await self._instances.running() if info.instance_id in ready]

    async def put_endpoints(self, tx: Transaction, release_id: str, infos: list[InstanceInfo]) -> int:
        """Writes the endpoints record of a release."""
        endpoints = [{"address": i.address, "instance": i.instance_id, "weight": 1, "zone": ""} for i in infos]
        return await self._table.put_endpoints(tx, release_id, endpoints, "running")

    def _exited(self, _: ExitInfo) -> None:
        self._look.set()

    async def _run(self) -> None:
        while True:
            self._look.clear()
            again_s = LOOK_EVERY_S
            try:
                if (lease := await self._kept()) is not None:
                    again_s = await self._look_once(lease.transaction)
                if not self.settled.is_set():
                    await self._settle()
            except ShipoffError as error:
                log.warning("the keeper waits: %s", error)
            except Exception:  # this loop is what brings apps back: it never ends
                log.exception("the keeper could not look")
            try:
                await asyncio.wait_for(self._look.wait(), again_s)
            except TimeoutError:
                continue

    async def _kept(self) -> Lease | None:
        """The lease, if this orchestrator is the one that keeps; takes it over from one that is gone."""
        if self._lease is None or not await self._leases.renew(self._lease):
            self._lease = await self._leases.acquire(*TASK)
            await self._instances.keep(self._lease is not None)
        return self._lease

    async def _settle(self) -> None:
        if self._busy:
            await asyncio.wait(list(self._busy.values()), timeout=SETTLE_S)
        self.settled.set()

    async def _look_once(self, writing: Writing) -> float:
        """Looks, and begins what is to be done; returns in how many seconds to look again at the latest.

        What it begins writes by the lease of this look: when that is lost meanwhile, somebody else decides.
        """
        found = await self._observer.look()
        for release_id, empty in found.stale:
            if release_id not in self._claimed:
                # At once: no router should go on trying a dead instance.
                await self._publish(writing, release_id, empty)
        for work in found.works:
            if work.row["id"] not in self._claimed and not isinstance(work.step, Wait):
                # Starting does not wait for what ends: an app that is woken needs no farewell of its old instance.
                kind = "starts" if isinstance(work.step, Start) else "ends"
                self._begin(f"{work.row['id']}/{work.process.name}/{kind}", partial(self._carry_out, writing, work))
        for release_id, instance_ids in found.strays.items():
            if release_id not in self._claimed:
                self._begin(release_id, partial(self._drain.retire, writing, release_id, instance_ids))
        for release_id, instance_ids in found.idle.items():
            self._begin(release_id, partial(self._drain.take_out, writing, release_id, instance_ids, "running"))
        waits = [work.step.seconds for work in found.works if isinstance(work.step, Wait)]
        return max(0.0, min([LOOK_EVERY_S, *waits]))

    async def _publish(self, writing: Writing, release_id: str, empty: Empty) -> None:
        async with writing() as tx:
            await self._endpoints.publish(tx, release_id, empty)

    async def _carry_out(self, writing: Writing, work: Work) -> None:
        release = from_row(work.row, self._sealer)
        await self._replicas.carry_out(writing, Place(release, work.process, work.row["host"], work.empty), work.step)

    def _begin(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if key in self._busy:
            return  # what is under way has a look taken when it is done
        task = self._busy[key] = tasks.spawn(self._guarded(work), f"keeps {key}")
        task.add_done_callback(lambda _: self._done(key))

    def _done(self, key: str) -> None:
        self._busy.pop(key, None)
        self._look.set()

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except (ShipoffError, ProcessFailedError) as error:
            log.warning("the keeper will look again: %s", error)
            await asyncio.sleep(FAILED_S)
