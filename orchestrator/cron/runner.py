"""Runs cron jobs: level-triggered, from what the database shows, by any number of orchestrators at once.

A run's row is written before anything starts, and what became of its instance is read from the instance's row; so an
orchestrator that dies leaves nothing that another one cannot end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.errors import ShipoffError
from kernel.sealing import Sealer
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Cron, Process
from orchestrator.cron.due import Due, due
from orchestrator.drivers.base import ExitInfo
from orchestrator.instances import Instances
from orchestrator.look import CRON
from orchestrator.release.release import Release, from_row
from orchestrator.starter import Starter

SQL: Final = load_queries("orchestrator.cron")
log = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 2.0  # so late may a run begin
FORGET_EVERY: Final = 1800  # looks, an hour
AT_ONCE: Final = 4  # starts at a time: at midnight many jobs are due


class Crons:
    """The loop.

    Args:
        grace_s: between SIGTERM and SIGKILL for a run that is over its time.
    """

    def __init__(
        self, database: Database, instances: Instances, starter: Starter, sealer: Sealer, grace_s: float
    ) -> None:
        self._database, self._instances, self._starter = database, instances, starter
        self._sealer, self._grace_s = sealer, grace_s
        self._again = asyncio.Event()
        self._starts = asyncio.Semaphore(AT_ONCE)
        self._task: asyncio.Task[None] | None = None
        self._begun: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins in the background."""
        self._instances.on_exit(self._exited)
        self._task = tasks.spawn(self._run(), "cron jobs")

    async def stop(self) -> None:
        """Stops; what runs goes on, and is followed to its end by whoever looks next."""
        await tasks.stop(self._task, *self._begun)

    def _exited(self, _: ExitInfo) -> None:
        self._again.set()

    async def _run(self) -> None:
        looks = 0
        while True:
            self._again.clear()
            try:
                await self.look()
                if looks % FORGET_EVERY == 0:
                    await self._database.execute(SQL["forget_runs"])
            except ShipoffError as error:
                log.warning("cron jobs wait: %s", error)
            except Exception:  # one job that cannot be judged must not end all others'
                log.exception("cron jobs could not be looked at")
            looks += 1
            try:
                await asyncio.wait_for(self._again.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Settles what has ended or is late, then begins what is due."""
        for run in await self._database.fetch(SQL["running_runs"]):
            await self._settle(run)
        for row in await self._database.fetch(SQL["stray_jobs"]):
            await self._instances.stop(row["id"], self._grace_s)
        now = await self._database.fetchval(SQL["database_time"])
        for release in await self._database.fetch(SQL["releases_with_crons"]):
            for cron, when in _due(release, now):
                await self._begin(release, cron, when)

    # --- ends -----------------------------------------------------------------------------------------------------

    async def _settle(self, run: Row) -> None:
        if run["instance_state"] in ("stopped", "crashed"):
            status, reason = run["instance_status"], run["instance_reason"]
            state = "done" if (status, reason) == (0, "exit") else "failed"
            await self._end(run, state, status, "" if reason == "exit" else reason)
        elif run["instance_state"] is None and run["old"]:
            await self._end(run, "failed", 0, "its orchestrator ended before it began")
        elif run["instance_state"] is not None and run["late"]:
            await self._instances.stop(run["instance_id"], self._grace_s)
            await self._end(run, "failed", -9, "it took longer than its deadline")

    async def _end(self, run: Row, state: str, status: int, detail: str) -> None:
        key = (run["project_id"], run["environment"], run["name"], run["due_at"])
        if await self._database.fetchval(SQL["end_run"], *key, state, status, detail):
            log.info("cron job %s of %s/%s: %s with status %d %s", key[2], key[0], key[1], state, status, detail)

    # --- beginnings -----------------------------------------------------------------------------------------------

    async def _begin(self, release: Row, cron: Cron, when: Due) -> None:
        async with self._database.transaction() as tx:
            key = (release["project_id"], release["environment"], cron.name)
            await tx.execute(SQL["lock_job"], *key)
            run = await tx.fetchrow(SQL["add_run"], *key, when.at, release["id"], cron.deadline_s, when.missed)
        if run is None:
            return  # another orchestrator was quicker
        log.info("cron job %s of %s/%s, due at %s: %s", cron.name, *key[:2], when.at, run["state"])
        if run["state"] == "running":
            task = tasks.spawn(self._start(run, from_row(release, self._sealer), cron), f"cron job {cron.name}")
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    async def _start(self, run: Row, release: Release, cron: Cron) -> None:
        key = (run["project_id"], run["environment"], run["name"], run["due_at"])
        try:
            async with self._starts:
                (info,) = await self._starter.bring_up(release, Process(f"{CRON}{cron.name}", cron.command), "")
            await self._database.execute(SQL["begin_run"], *key, info.instance_id)
        except ShipoffError as error:
            await self._end(run, "failed", 0, str(error))


def _due(release: Row, now: datetime) -> Iterator[tuple[Cron, Due]]:
    for cron in BuildPlan.from_json(release["plan"]).crons:
        last = datetime.fromtimestamp(release["last_runs"].get(cron.name, 0), UTC)
        if (found := due(cron, now, max(last, release["wanted_at"]))) is not None:
            yield cron, found
