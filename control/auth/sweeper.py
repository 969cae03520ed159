"""Deletes what has run out: sessions, tokens, sign-ins, mails that were given up, addresses that nobody has proven."""

from __future__ import annotations

import asyncio
from typing import Final

from control.auth.accounts.service import SQL as ACCOUNTS
from control.auth.mail.service import SQL as MAILS
from control.auth.oauth.codes import SQL as OAUTH
from control.auth.one_time.service import SQL as ONE_TIME
from control.auth.sessions.service import REFRESH_S
from control.auth.sessions.service import SQL as SESSIONS
from kernel import tasks
from kernel.database import Database

EVERY_S: Final = 600.0  # what has run out is refused at once; this is about room


class Sweeper:
    """Sweeps until stopped; several of them do no harm."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins in the background."""
        self._task = tasks.spawn(tasks.repeat(self.sweep, EVERY_S, "what has run out is not deleted"), "sweeper")

    async def stop(self) -> None:
        """Stops."""
        await tasks.stop(self._task)

    async def sweep(self) -> None:
        """Deletes what has run out by now."""
        await self._database.execute(ONE_TIME["sweep"])
        await self._database.execute(OAUTH["sweep_flows"])
        await self._database.execute(OAUTH["sweep_codes"])
        await self._database.execute(OAUTH["sweep_devices"])
        await self._database.execute(SESSIONS["sweep_tokens"])
        await self._database.execute(SESSIONS["sweep"], REFRESH_S)
        await self._database.execute(MAILS["sweep"])
        await self._database.execute(ACCOUNTS["sweep"])
