"""Runs a command of a release to its end, in an instance of its own: the app's files, variables and limits."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from kernel.database import Database, load_queries
from kernel.errors import ShipoffError
from orchestrator.build.running import Process
from orchestrator.drivers.base import ExitInfo, OnLine
from orchestrator.instances import Instances
from orchestrator.release.release import Release

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)
VERDICTS: Final = frozenset(("exit", "signal", "memory"))  # it has run to an end of its own


class Jobs:
    """Runs jobs, each of them once: what an earlier process of ours has begun is followed to its end."""

    def __init__(self, database: Database, instances: Instances) -> None:
        self._database, self._instances = database, instances

    async def run(self, release: Release, name: str, command: str, within_s: float, on_line: OnLine) -> ExitInfo | None:
        """Runs a command and returns how it ended; None when it did not in time and was killed.

        Cancelling ends the command. It is begun again only when nobody knows how it ended: with its machine or keeper.

        Args:
            release: whose files and variables.
            name: of the job, as its instance's process shows it; a release has one of a name.
            command: shell command.
            within_s: how long it may take, from now.
            on_line: gets its output.

        Raises:
            ShipoffError: the driver's, or the database is away. The caller may repeat this; what the platform fails in
                once the command has begun does not hide how it ended.
        """
        row = await self._database.fetchrow(SQL["last_job"], release.id, name)
        if row is not None and row["reason"] in VERDICTS:
            end = ExitInfo(
                row["id"], release.project_id, release.id, row["reason"], row["exit_status"], 0, row["last_lines"]
            )
            return await self._told_late(end, on_line)
        if row is not None and row["ended_at"] is None:
            exited = self._instances.exited(row["id"])
            info = await self._instances.find(row["id"])
            if info is not None and info.exit is None:
                log.info("job %s goes on", row["id"])
                with self._instances.held(row["id"]):
                    await self._instances.follow(info, on_line)
                    return await self._end(row["id"], exited, within_s)
            if info is not None and info.exit is not None and info.exit.reason in VERDICTS:
                await self._discard(row["id"])
                return await self._told_late(info.exit, on_line)
            await self._instances.stop(row["id"], 0.0)
        with self._instances.pending(1) as (instance_id,):
            exited = self._instances.exited(instance_id)
            try:
                await self._instances.start(release, Process(name, command), instance_id, on_line)
            except BaseException:
                await asyncio.shield(self._discard(instance_id))
                raise
            return await self._end(instance_id, exited, within_s)

    async def _end(self, instance_id: str, exited: asyncio.Future[ExitInfo], within_s: float) -> ExitInfo | None:
        try:
            done, _ = await asyncio.wait([exited], timeout=within_s)
            if not done:
                return None
            await self._instances.told(instance_id)  # its last lines come before its end
            return exited.result()
        finally:
            await asyncio.shield(self._discard(instance_id))

    @staticmethod
    async def _told_late(end: ExitInfo, on_line: OnLine) -> ExitInfo:
        """It ended while nobody of us was there: the end of its output is all that is left to tell."""
        for line in end.last_lines:
            await on_line("stdout", line)
        return end

    async def _discard(self, instance_id: str) -> None:
        try:
            await self._instances.discard(instance_id)
        except ShipoffError as error:
            log.warning("the end of job %s is recorded later: %s", instance_id, error)
