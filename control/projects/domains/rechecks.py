"""Looks at claims again when their time has come: pending ones often, verified ones daily."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from control.projects.domains.checking import NAME, Checking
from control.projects.domains.claim import Claim, claim_of
from kernel import tasks
from kernel.authority import acting_as, platform
from kernel.database import Database, load_queries
from kernel.errors import ShipoffError

SQL: Final = load_queries("control.projects.domains")
EVERY_S: Final = 5.0
BATCH: Final = 16  # looked at together; each look is bounded, so a batch has its end before it is due again
log = logging.getLogger(__name__)


class Rechecks:
    """The loop; several of them share the work."""

    def __init__(self, database: Database, checking: Checking) -> None:
        self._database, self._checking = database, checking
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins looking in the background."""
        self._task = tasks.spawn(tasks.repeat(self.sweep, EVERY_S, "domains are not checked"), "checks domains")

    async def stop(self) -> None:
        """Stops; what was taken and not looked at is due again in two minutes."""
        await tasks.stop(self._task)

    async def sweep(self) -> int:
        """Looks at what is due now; returns how many claims were."""
        looked = 0
        with acting_as(platform(NAME)):
            while rows := await self._database.fetch(SQL["due"], BATCH):
                await asyncio.gather(*(self._check(claim_of(row)) for row in rows))
                looked += len(rows)
        return looked

    async def _check(self, claim: Claim) -> None:
        try:
            await self._checking.check(claim)
        except ShipoffError as error:
            log.warning("%s (%s) will be looked at again: %s", claim.name, claim.id, error)
