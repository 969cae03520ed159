"""Keeps what other services tell of their changes, and lets go of what is older than the operator wants."""

from __future__ import annotations

import asyncio
from typing import Final

from control.auth.audit.record import SQL, write
from kernel import tasks
from kernel.database import Database
from kernel.events import AuditRecorded, Envelope

LOOK_S: Final = 3600.0
BATCH: Final = 5000  # rows of one statement; the next turn takes more


class AuditLog:
    """The table's keeper.

    Args:
        database: of auth.
        days: for which records are kept; 0 is for ever.
    """

    def __init__(self, database: Database, days: int) -> None:
        self._database, self._days = database, days
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look for old records, hourly."""
        if self._days:
            trouble = "old audit records were not deleted"
            self._task = tasks.spawn(tasks.repeat(self.forget, LOOK_S, trouble), "audit retention")

    async def stop(self) -> None:
        """Stops looking."""
        await tasks.stop(self._task)

    async def apply(self, envelope: Envelope) -> None:
        """Handles an event of the stream `audit`; one that comes again is there already."""
        if isinstance(envelope.data, AuditRecorded):
            async with self._database.transaction() as tx:
                await write(tx, envelope, envelope.data)

    async def forget(self) -> None:
        """Deletes what is too old. The table itself refuses to lose what is younger than 90 days."""
        while (await self._database.execute(SQL["forget"], self._days, BATCH)) == f"DELETE {BATCH}":
            continue
