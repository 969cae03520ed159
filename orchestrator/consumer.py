"""B3: takes what the control plane asks for from the stream into the database, where the work is done from.

The event's effect is a row, so it is acknowledged within milliseconds however long the deployment takes; the same
transaction tells the orchestrators (environments.py). Latest wins: it also ends the older deployments of the
environment that have not flipped the routes. Which is the latest, the ordinal says that the control plane gave it: with
several consumers in the group, events of one environment may come in any order. A tenant has so many unfinished
deployments at most; what is above that fails at once, and what it would have replaced goes on.
"""

from __future__ import annotations

import logging
from typing import Final

from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.deployments import Stage, State
from kernel.errors import define
from kernel.events import (
    DeploymentCanceled,
    DeploymentRequested,
    DomainsChanged,
    Envelope,
    EnvironmentDeleted,
    Event,
    ProjectDeleted,
    ProjectTransferred,
)
from kernel.streams import first_time
from orchestrator.domains.hosts import apply
from orchestrator.environments import tell
from orchestrator.moves import Note, move
from orchestrator.release.canary import withdraw
from orchestrator.routes import RouteTable
from orchestrator.teardown import Teardown

DEPLOYMENT_QUEUE_FULL = define(
    "DEPLOYMENT_QUEUE_FULL",
    source="client",
    status=429,
    hint="wait until some of your deployments have ended, then deploy again",
)
SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)


class Intake:
    """The handler of the stream `deployments`.

    Args:
        database: of the orchestrator.
        table: a canary that is ended gives its share of the requests back.
        queue_limit: environments of one tenant that may have an unfinished deployment.
    """

    def __init__(self, database: Database, table: RouteTable, queue_limit: int) -> None:
        self._database, self._table, self._queue_limit = database, table, queue_limit
        self._teardown = Teardown(table)

    async def handle(self, envelope: Envelope) -> None:
        """Applies one event, once; orchestrators are told again when it comes again."""
        event = envelope.data
        async with self._database.transaction() as tx:
            if await first_time(tx, envelope.id):
                await self._apply(tx, event)
            if isinstance(event, DeploymentRequested | DeploymentCanceled | EnvironmentDeleted):
                await tell(tx, event.project_id, event.environment)

    async def _apply(self, tx: Transaction, event: Event) -> None:
        match event:
            case DeploymentRequested():
                await self._add(tx, event)
            case DeploymentCanceled():
                await self._cancel(tx, event)
            case EnvironmentDeleted():
                await self._teardown.environment(tx, event.project_id, event.environment)
            case DomainsChanged():
                await apply(tx, self._table, event)
            case ProjectDeleted():
                await self._teardown.project(tx, event.project_id)
            case ProjectTransferred():
                pass  # what runs goes on; its next deployment waits in the new owner's queue
            case _:
                log.warning("an event of type %s has no effect here", event.TYPE)

    async def _add(self, tx: Transaction, event: DeploymentRequested) -> None:
        await tx.execute(SQL["lock_owner"], event.owner)
        await tx.execute(SQL["lock_environment"], event.project_id, event.environment)
        if not await _insert(tx, event):
            return  # the same wish under another event id, or it was canceled before it came
        environment = (event.project_id, event.environment)
        newer = await tx.fetchval(
            SQL["newer_deployment"], *environment, event.ordinal, event.kind, DEPLOYMENT_QUEUE_FULL.code
        )
        if newer is not None:  # another consumer was faster with it
            await move(tx, event.deployment_id, State.SUPERSEDED, _superseded(newer))
            return
        busy = await tx.fetchval(SQL["busy_environments"], event.owner, *environment)
        if busy >= self._queue_limit:
            await move(tx, event.deployment_id, State.FAILED, _refused(busy))
            return
        for row in await tx.fetch(SQL["older_unfinished"], *environment, event.deployment_id, event.kind):
            await self._end(tx, row["id"], State.SUPERSEDED, _superseded(event.deployment_id))

    async def _cancel(self, tx: Transaction, event: DeploymentCanceled) -> None:
        await tx.execute(SQL["lock_environment"], event.project_id, event.environment)
        # When another consumer is slower with the request, it will find it canceled.
        await _insert(tx, DeploymentRequested(event.deployment_id, event.project_id, event.environment))
        note = Note(reason="CANCELED", detail="canceled on request")
        await self._end(tx, event.deployment_id, State.CANCELED, note)

    async def _end(self, tx: Transaction, deployment_id: str, to: State, note: Note) -> None:
        if await move(tx, deployment_id, to, note) is not None:
            await withdraw(tx, self._table, deployment_id)


async def _insert(tx: Transaction, event: DeploymentRequested) -> bool:
    wish = (event.owner, event.ordinal, event.kind, event.release_id, event.canary, event.limits)
    done = await tx.execute(SQL["add_deployment"], event.deployment_id, event.project_id, event.environment, *wish)
    return done == "INSERT 0 1"


def _superseded(by: str) -> Note:
    return Note(reason="SUPERSEDED", detail=f"a newer deployment, {by}, took its place")


def _refused(busy: int) -> Note:
    error = DEPLOYMENT_QUEUE_FULL(f"{busy} environments of this account have deployments that are not finished")
    return Note(stage=Stage.QUEUE, reason=error.code, hint=error.hint, detail=error.detail)
