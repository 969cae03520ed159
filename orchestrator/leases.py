"""Who works on what, when several orchestrators share the work: leases in Postgres, fenced by tokens.

A worker takes the lease of an environment, renews it while it works and gives it back. The clock is the database's
alone, so workers' clocks may jump. A worker that was paused for longer than its lease does not know that it lost it;
therefore every write goes through `Lease.transaction`, which refuses it when a later token was given: what a paused
worker began has no effect, whenever it wakes.

A lease is a lock on nothing but the database. What is done outside of it (a build, an instance that starts) may for a
moment be done by two workers; only one of them gets it written down, and the keeper ends what nobody wrote down.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.errors import define

LEASE_LOST = define("LEASE_LOST", status=409, hint="another orchestrator goes on with it; nothing need be done")

# How whoever decides something writes it: each call is one transaction, fenced where a lease gives the right to decide.
Writing = Callable[[], AbstractAsyncContextManager[Transaction]]
SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one environment (or on `environment` as the name of a task of the platform's).

    Attributes:
        token: grows with every lease that is given, of whatever environment.
    """

    database: Database
    project_id: str
    environment: str
    token: int

    async def fence(self, tx: Transaction) -> None:
        """Lets the transaction go on only while no later token was given; none is given before it ends.

        Raises:
            ShipoffError: LEASE_LOST; the transaction is to be rolled back.
        """
        if await tx.fetchval(SQL["fence_lease"], self.project_id, self.environment, self.token) is None:
            raise LEASE_LOST(f"token {self.token} of {self.project_id}/{self.environment} is not the last one")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A fenced transaction: how a worker writes.

        Raises:
            ShipoffError: LEASE_LOST, before anything is written; DATABASE_UNAVAILABLE.
        """
        async with self.database.transaction() as tx:
            await self.fence(tx)
            yield tx


class Leases:
    """Gives leases to one holder.

    Args:
        database: of the orchestrator.
        holder: this worker's name; unique among those that run, the same after a restart, so that a worker that was
            killed has its leases again at once.
        lasts_s: from one renewal on; whoever holds it renews it every third of that.
    """

    def __init__(self, database: Database, holder: str, lasts_s: float) -> None:
        self._database, self.holder, self.lasts_s = database, holder, lasts_s

    async def acquire(self, project_id: str, environment: str) -> Lease | None:
        """The lease, with a new token, or None while somebody else has it.

        Free is also a lease that was renewed in the future: the database's clock was set back, and nobody knows for how
        long it would last.
        """
        token = await self._database.fetchval(SQL["acquire_lease"], project_id, environment, self.holder, self.lasts_s)
        return None if token is None else Lease(self._database, project_id, environment, token)

    async def renew(self, lease: Lease) -> bool:
        """Prolongs the lease; False when it is lost. One that ran out and that nobody took is as good as before."""
        done = await self._database.execute(
            SQL["renew_lease"], lease.project_id, lease.environment, lease.token, self.lasts_s
        )
        return done == "UPDATE 1"

    async def release(self, lease: Lease) -> None:
        """Gives it back; one that is lost is left as it is."""
        await self._database.execute(SQL["release_lease"], lease.project_id, lease.environment, lease.token)
