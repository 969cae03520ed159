"""What hooks need beside deliveries: owners told of one that was switched off, and a log that stays bounded."""

from __future__ import annotations

import asyncio
from typing import Final

from control.projects.owners import Owners
from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row

SQL: Final = load_queries("control.projects.hooks")
EVERY_S: Final = 30.0
KEEP_DAYS: Final = 30  # of the log


class HookUpkeep:
    """The sweeper; several of them do no harm, since a mail has an id."""

    def __init__(self, database: Database, owners: Owners) -> None:
        self._database, self._owners = database, owners
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins in the background."""
        self._task = tasks.spawn(tasks.repeat(self.sweep, EVERY_S, "hooks are not swept"), "upkeep of hooks")

    async def stop(self) -> None:
        """Stops."""
        await tasks.stop(self._task)

    async def sweep(self) -> None:
        """Tells what is to be told, and forgets what is old.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE.
        """
        for row in await self._database.fetch(SQL["untold"]):
            if await self._tell(row):
                await self._database.execute(SQL["told"], row["id"])
        await self._database.execute(SQL["forget"], KEEP_DAYS)

    async def _tell(self, row: Row) -> bool:
        label = f"{row['name']} ({row['kind']}, {row['host']})" if row["name"] else f"{row['kind']}, {row['host']}"
        whose = f"the project {row['project_name']}" if row["project_name"] else "your team"
        text = (
            f"The hook {label} of {whose} was switched off, because {row['disabled_reason']}.\n\n"
            f"What happened meanwhile is not sent any more. When its receiver works again:\n"
            f"  shipoff hooks update {row['id']} --on\n"
        )
        mail_id = f"hook-off/{row['id']}/{row['disabled_at'].timestamp():.0f}"
        subject = f"A hook was switched off: {row['host']}"
        return await self._owners.tell(mail_id, row["of_team"], subject, text, since=row["disabled_at"])
