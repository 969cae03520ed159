"""B3: takes what the control plane asks for from the stream into the database, where the work is done from.

The event's effect is a row, so it is acknowledged within milliseconds however long the deployment takes. Latest wins:
the same transaction that adds a deployment ends the older ones of its environment that have not flipped the routes.
"""

from __future__ import annotations

import logging
from typing import Final

from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.deployments import State
from kernel.events import DeploymentCanceled, DeploymentRequested, Envelope
from kernel.streams import first_time
from orchestrator.environments import Environments
from orchestrator.moves import Note, move

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)


class Intake:
    """The handler of the stream `deployments`."""

    def __init__(self, database: Database, environments: Environments) -> None:
        self._database, self._environments = database, environments

    async def handle(self, envelope: Envelope) -> None:
        """Applies one event, once."""
        event = envelope.data
        if not isinstance(event, DeploymentRequested | DeploymentCanceled):
            log.info("event %s of type %s has no effect here yet", envelope.id, event.TYPE)
            return
        ended: list[str] = []
        async with self._database.transaction() as tx:
            if await first_time(tx, envelope.id):
                await tx.execute(SQL["lock_environment"], event.project_id, event.environment)
                if isinstance(event, DeploymentRequested):
                    ended = await self._add(tx, event)
                else:
                    ended = await self._cancel(tx, event)
        self._environments.interrupt(ended)
        self._environments.poke(event.project_id, event.environment)

    async def _add(self, tx: Transaction, event: DeploymentRequested) -> list[str]:
        wish = (event.kind, event.release_id, event.canary)
        await tx.execute(SQL["add_deployment"], event.deployment_id, event.project_id, event.environment, *wish)
        older = await tx.fetch(
            SQL["older_unfinished"], event.project_id, event.environment, event.deployment_id, event.kind
        )
        note = Note(reason="SUPERSEDED", detail=f"a newer deployment, {event.deployment_id}, took its place")
        return [row["id"] for row in older if await move(tx, row["id"], State.SUPERSEDED, note)]

    async def _cancel(self, tx: Transaction, event: DeploymentCanceled) -> list[str]:
        row = await tx.fetchrow(SQL["get_deployment"], event.deployment_id)
        if row is None or row["flipped"]:
            return []
        note = Note(reason="CANCELED", detail="canceled on request")
        return [row["id"]] if await move(tx, row["id"], State.CANCELED, note) else []
