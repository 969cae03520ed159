"""Takes a release's instances out of service without cutting a request short."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from kernel.database import load_queries
from kernel.database.pool import Transaction
from kernel.errors import ShipoffError
from orchestrator.acknowledgements import Acknowledgements
from orchestrator.endpoints import Empty, Endpoints
from orchestrator.instances import Instances
from orchestrator.leases import Writing
from orchestrator.routes import RouteTable
from orchestrator.settings import OrchestratorSettings

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)

POLL_S: Final = 0.05
QUIET_POLLS: Final = 4  # a router that just took the new table may be dialing in this very moment


class Drain:
    """First no router names the instances, then their connections end, then SIGTERM, grace, SIGKILL."""

    def __init__(
        self,
        table: RouteTable,
        endpoints: Endpoints,
        acknowledgements: Acknowledgements,
        instances: Instances,
        settings: OrchestratorSettings,
    ) -> None:
        self._table, self._endpoints = table, endpoints
        self._acknowledgements, self._instances, self._settings = acknowledgements, instances, settings

    async def retire(self, writing: Writing, release_id: str, instance_ids: list[str]) -> None:
        """Ends a release's instances, unless it is wanted again; may be called again after any interruption.

        It may have been brought back since this was decided: so it is asked once more, under the lock that whoever
        brings a release up takes too (stages/releasing.py).

        Args:
            writing: transactions of the one who decided this, as long as it is his to decide.

        Raises:
            ShipoffError: LEASE_LOST; the database is away, call again.
        """
        async with writing() as tx:
            await tx.execute(SQL["lock_endpoints"], release_id)
            if await tx.fetchval(SQL["is_wanted"], release_id):
                log.info("%s is wanted again: its instances stay", release_id)
                return
            version = await self._table.delete_endpoints(tx, release_id)
            await self._mark(tx, instance_ids)
        await self._finish(release_id, version, instance_ids)

    async def take_out(self, writing: Writing, release_id: str, instance_ids: list[str], empty: Empty) -> None:
        """Ends some instances of a release that goes on serving; may be called again after any interruption.

        Args:
            writing: as in `retire`.
            empty: the state of the endpoints record when none is left.

        Raises:
            ShipoffError: LEASE_LOST; the database is away, call again.
        """
        async with writing() as tx:
            await self._mark(tx, instance_ids)
            version = await self._endpoints.publish(tx, release_id, empty)
        await self._finish(release_id, version, instance_ids)

    async def _mark(self, tx: Transaction, instance_ids: list[str]) -> None:
        for instance_id in instance_ids:
            await self._instances.mark(tx, instance_id, "draining")

    async def _finish(self, release_id: str, version: int | None, instance_ids: list[str]) -> None:
        if version is not None:
            try:
                await self._acknowledgements.wait(version, self._settings.routers_s)
            except ShipoffError as error:
                log.warning("%s is stopped although %s", release_id, error)
        await asyncio.gather(*(self._end(instance_id) for instance_id in instance_ids))

    async def _end(self, instance_id: str) -> None:
        """Waits until the instance is idle or its time is up, and stops it."""
        loop = asyncio.get_running_loop()
        give_up, quiet = loop.time() + self._settings.drain_s, 0
        while quiet < QUIET_POLLS and loop.time() < give_up:
            quiet = quiet + 1 if await self._instances.connections(instance_id) == 0 else 0
            await asyncio.sleep(POLL_S)
        await self._instances.stop(instance_id, self._settings.grace_s)
