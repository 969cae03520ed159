"""Which releases are kept, and what goes with those that are not.

Kept are the newest of an environment, by count and age, and whatever serves, is warm or is in the making. What a
release was made of goes when no kept one has the same (discarding.py).
"""

from __future__ import annotations

import asyncio
from typing import Final

from kernel import tasks
from kernel.database import Database, load_queries
from orchestrator.release.discarding import Discarding
from orchestrator.routes import RouteTable

SQL: Final = load_queries("orchestrator")
EVERY_S: Final = 300.0


class Retention:
    """The sweeper; several of them do no harm.

    Args:
        count: releases that an environment keeps.
        days: how old they may be; the two newest stay whatever their age.
    """

    def __init__(self, database: Database, discarding: Discarding, table: RouteTable, count: int, days: int) -> None:
        self._database, self._discarding, self._table = database, discarding, table
        self._count, self._days = count, days
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins sweeping in the background."""
        self._task = tasks.spawn(tasks.repeat(self.sweep, EVERY_S, "releases are not swept"), "retention of releases")

    async def stop(self) -> None:
        """Stops."""
        await tasks.stop(self._task)

    async def sweep(self) -> None:
        """Retires what is no longer kept, and deletes what only that needed.

        Raises:
            ShipoffError: the database or the object store is away.
        """
        await self._database.execute(SQL["retire_releases"], self._count, self._days)
        for row in await self._database.fetch(SQL["unneeded_artifacts"]):
            await self._discarding.discard(row)
        for row in await self._database.fetch(SQL["idle_endpoints"]):
            await self._forget(row["release_id"])

    async def _forget(self, release_id: str) -> None:
        """Removes the endpoints record of a release that nothing serves and that has no instance left to retire."""
        async with self._database.transaction() as tx:
            await tx.execute(SQL["lock_endpoints"], release_id)
            if not await tx.fetchval(SQL["is_current"], release_id):
                await self._table.delete_endpoints(tx, release_id)
