"""Tells a team's owners by mail that a domain of theirs fails, or is no longer served, whatever hooks they have."""

from __future__ import annotations

import asyncio
from typing import Final

from control.projects.domains.claim import Claim, State, claim_of
from control.projects.domains.decide import Patience
from control.projects.domains.sight import told
from control.projects.owners import Owners
from kernel import tasks
from kernel.database import Database, load_queries

SQL: Final = load_queries("control.projects.domains")
EVERY_S: Final = 30.0


class Warnings:
    """The sweeper; several of them do no harm, since a mail has an id."""

    def __init__(self, database: Database, owners: Owners, patience: Patience) -> None:
        self._database, self._owners, self._patience = database, owners, patience
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins in the background."""
        self._task = tasks.spawn(tasks.repeat(self.sweep, EVERY_S, "owners of domains are not told"), "domain mails")

    async def stop(self) -> None:
        """Stops; what is owed stays in the database."""
        await tasks.stop(self._task)

    async def sweep(self) -> None:
        """Sends what is owed.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE.
        """
        for row in await self._database.fetch(SQL["owed"]):
            claim = claim_of(row)
            mail_id = f"domain/{claim.id}/{row['owed']}/{row['owed_at'].timestamp():.0f}"
            subject, text = self._said(claim)
            if await self._owners.tell(mail_id, claim.team_id, subject, text, since=row["owed_at"]):
                await self._database.execute(SQL["paid"], claim.id, row["owed"])

    def _said(self, claim: Claim) -> tuple[str, str]:
        why = f"{told(claim.problem, claim.looks)}\n\n"
        look = f"  shipoff domains check {claim.name} --project {claim.project_name}\n"
        if claim.state is State.FAILING:
            subject = f"The DNS record of {claim.name} is gone"
            text = (
                f"The domain {claim.name} of the project {claim.project_name} is served, but its proof is gone.\n"
                f"{why}Unless the record is put back, the domain is taken off in {self._patience.grace:g} days.\n{look}"
            )
        else:
            subject = f"{claim.name} is no longer served"
            text = (
                f"The domain {claim.name} was taken off the project {claim.project_name}.\n"
                f"{why}When the record is there again:\n{look}"
            )
        return subject, text
