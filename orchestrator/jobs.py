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


class Jobs:
    """Runs one job after the other, or several at a time; they know nothing of each other."""

    def __init__(self, database: Database, instances: Instances) -> None:
        self._database, self._instances = database, instances

    async def run(self, release: Release, name: str, command: str, within_s: float, on_line: OnLine) -> ExitInfo | None:
        """Runs a command and returns how it ended; None when it did not in time and was killed.

        One of the same name and release that an earlier process left is ended first. Cancelling ends the command.

        Args:
            release: whose files and variables.
            name: of the job, as its instance's process shows it.
            command: shell command.
            within_s: how long it may take.
            on_line: gets its output.

        Raises:
            ShipoffError: the driver's, or the database is away. The command has not begun then, so the caller may
                repeat this; what the platform fails in afterwards does not hide how the command ended.
        """
        for row in await self._database.fetch(SQL["open_jobs"], release.id, name):
            await self._instances.stop(row["id"], 0.0)
        with self._instances.pending(1) as (instance_id,):
            try:
                exited = self._instances.exited(instance_id)
                await self._instances.start(release, Process(name, command), instance_id, on_line)
                done, _ = await asyncio.wait([exited], timeout=within_s)
                if not done:
                    return None
                await self._instances.told(instance_id)  # its last lines come before its end
                return exited.result()
            finally:
                await asyncio.shield(self._discard(instance_id))

    async def _discard(self, instance_id: str) -> None:
        try:
            await self._instances.discard(instance_id)
        except ShipoffError as error:
            log.warning("the end of job %s is recorded later: %s", instance_id, error)
