"""Lets the number of an app's instances follow its load: asks the signals, decides, and writes what is wanted.

One orchestrator at a time does it, by a lease; the others know as much and go on where it stops. What is written is a
number per environment (scaling.py), and the keeper makes it so. Who is switched off, or has as many instances at least
as at most, is left alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import WEB
from orchestrator.leases import Lease, Leases
from orchestrator.scale.decide import PANIC_S, STABLE_S, Bounds, Demand, Memory, decide
from orchestrator.scale.signals import Signals
from orchestrator.scaling import scales_of, set_desired

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)
EVERY_S: Final = 2.0  # as Knative's
TASK: Final = ("", "autoscaler")  # the lease's name


class Autoscaler:
    """The loop.

    Args:
        wake: wakes a sleeping release that is asked for although its wake was lost.
        look: tells the keeper that a number has changed.
        clock: of the signals, in seconds.
    """

    def __init__(
        self,
        database: Database,
        signals: Signals,
        leases: Leases,
        wake: Callable[[str], Awaitable[object]],
        look: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._signals, self._leases = database, signals, leases
        self._wake, self._look, self._clock = wake, look, clock
        self._memories: dict[tuple[str, str], Memory] = {}
        self._plans: dict[str, BuildPlan] = {}
        self._began = clock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins scaling in the background."""
        self._task = tasks.spawn(tasks.repeat(self.tick, EVERY_S, "the autoscaler waits"), "autoscaler")

    async def stop(self) -> None:
        """Stops; another one goes on when the lease has run out."""
        await tasks.stop(self._task)

    async def tick(self) -> None:
        """Decides for every environment, if it is this orchestrator's turn.

        Raises:
            ShipoffError: the database is away, or the lease was lost.
        """
        self._signals.forget(self._clock())
        lease = await self._leases.acquire(*TASK)
        if lease is None:
            return
        rows = await self._database.fetch(SQL["scalable"])
        for row in rows:
            await self._scale(lease, row)
        environments = {(row["project_id"], row["environment"]) for row in rows}
        self._memories = {key: memory for key, memory in self._memories.items() if key in environments}
        releases = {row["id"] for row in rows}
        self._plans = {key: plan for key, plan in self._plans.items() if key in releases}

    async def _scale(self, lease: Lease, row: Row) -> None:
        plan = await self._plan(row["id"])
        scale = scales_of([row] if row["desired"] is not None else [], plan)[WEB]
        if scale.least == scale.most:
            return
        key, now = (row["project_id"], row["environment"]), self._clock()
        bounds = Bounds(scale.least, scale.most, plan.scaling.target, plan.scaling.idle_s)
        made = decide(
            self._memories.get(key, Memory()), self._demand(row, now), bounds, scale.desired, row["ready"], now
        )
        self._memories[key] = made.memory
        if made.count == scale.desired:
            return
        log.info("%s/%s: %d instances instead of %d", *key, made.count, scale.desired)
        if not scale.desired:
            await self._wake(row["id"])
            return
        async with lease.transaction() as tx:
            await set_desired(tx, *key, made.count, "autoscaler")
        self._look()

    def _demand(self, row: Row, now: float) -> Demand:
        # The row's own age counts too: who was deployed or woken a moment ago has not been idle, whatever was heard.
        active = [at for release in row["releases"] if (at := self._signals.active_at(release)) is not None]
        idle_s = min(now - max([self._began, *active]), row["settled_s"])
        return Demand(
            stable=self._signals.average(row["releases"], STABLE_S, now),
            panic=self._signals.average(row["releases"], PANIC_S, now),
            idle_s=idle_s,
            complete=self._signals.complete(now),
        )

    async def _plan(self, release_id: str) -> BuildPlan:
        if release_id not in self._plans:
            row = await self._database.fetchrow(SQL["get_release"], release_id)
            assert row is not None  # noqa: S101 - a deployment refers to it
            self._plans[release_id] = BuildPlan.from_json(row["plan"])
        return self._plans[release_id]
