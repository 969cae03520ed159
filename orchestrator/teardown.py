"""Takes down what an environment, or a whole project, runs and serves, in one transaction.

Its routes go, its unfinished deployments are canceled and its live one ends, so the keeper finds its instances wanted
by nobody and retires them. A deployment that has flipped the routes is finished first.
"""

from __future__ import annotations

from typing import Final

from kernel.database import load_queries
from kernel.database.pool import Transaction
from kernel.deployments import State
from kernel.errors import define
from orchestrator.domains.routes import lock
from orchestrator.moves import Note, move
from orchestrator.routes import RouteTable

ENVIRONMENT_BUSY = define(
    "ENVIRONMENT_BUSY", status=409, retryable=True, hint="a deployment is about to go live; it ends within a minute"
)
SQL: Final = load_queries("orchestrator")


class Teardown:
    """Takes down."""

    def __init__(self, table: RouteTable) -> None:
        self._table = table

    async def project(self, tx: Transaction, project_id: str) -> None:
        """Takes down all environments of a project.

        Raises:
            ShipoffError: ENVIRONMENT_BUSY.
        """
        for row in await tx.fetch(SQL["environments_of"], project_id):
            await self.environment(tx, project_id, row["environment"])

    async def environment(self, tx: Transaction, project_id: str, environment: str) -> None:
        """Takes down one environment; one that is not there is no error.

        Raises:
            ShipoffError: ENVIRONMENT_BUSY.
        """
        await tx.execute(SQL["lock_environment"], project_id, environment)
        rows = await tx.fetch(SQL["deployments_at_work"], project_id, environment)
        if any(row["flipped"] and row["state"] != State.LIVE for row in rows):
            raise ENVIRONMENT_BUSY(f"{project_id}/{environment} is being switched over")
        gone = Note(reason="CANCELED", detail="its environment was deleted")
        for row in rows:
            live = row["state"] == State.LIVE
            await move(tx, row["id"], State.INACTIVE if live else State.CANCELED, Note() if live else gone)
        await tx.execute(SQL["cool_environment"], project_id, environment)
        await lock(tx)  # custom hosts among them may be about to move to another environment
        for row in await tx.fetch(SQL["routes_of_environment"], project_id, environment):
            await self._table.delete_route(tx, row["host"], row["path"])
        for row in await tx.fetch(SQL["endpoints_of_environment"], project_id, environment):
            await self._table.delete_endpoints(tx, row["release_id"])
        await tx.execute(SQL["retire_environment"], project_id, environment)
