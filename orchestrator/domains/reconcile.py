"""Asks the control plane now and then for all lists of hosts: events are hints, and Redis may lose some."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from kernel import tasks
from kernel.database import Database
from kernel.events import DomainsChanged
from kernel.rpc import RpcClient
from orchestrator.domains.hosts import apply
from orchestrator.domains.routes import SQL
from orchestrator.routes import RouteTable
from proto.projects.v1.domains_pb2 import HostList, ListHostsRequest
from proto.projects.v1.domains_pb2_grpc import DomainsStub

EVERY_S: Final = 60.0  # for what Redis lost; everything else is told within milliseconds
PAGE: Final = 500
log = logging.getLogger(__name__)


class Reconcile:
    """The loop; several of them do no harm."""

    def __init__(self, database: Database, projects: RpcClient, table: RouteTable) -> None:
        self._database, self._table = database, table
        self._domains: Any = projects.stub(DomainsStub)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins asking in the background."""
        self._task = tasks.spawn(
            tasks.repeat(self.sweep, EVERY_S, "custom hosts are not compared with the control plane's"), "custom hosts"
        )

    async def stop(self) -> None:
        """Stops."""
        await tasks.stop(self._task)

    async def sweep(self) -> int:
        """Takes what is newer than what is known; returns how many lists were.

        Raises:
            ShipoffError: the control plane or the database is away.
        """
        taken, after = 0, ("", "")
        while True:
            request = ListHostsRequest(after_project_id=after[0], after_environment=after[1], limit=PAGE)
            page: list[HostList] = list((await self._domains.ListHosts(request)).lists)
            if not page:
                return taken
            taken += await self._take(page)
            after = (page[-1].project_id, page[-1].environment)

    async def _take(self, page: list[HostList]) -> int:
        rows = await self._database.fetch(SQL["known_lists"], list({one.project_id for one in page}))
        known = {(row["project_id"], row["environment"]): row["ordinal"] for row in rows}
        missed = [one for one in page if one.ordinal > known.get((one.project_id, one.environment), 0)]
        for one in missed:
            hosts = [{"host": h.host, "location": h.location, "status": h.status} for h in one.hosts]
            async with self._database.transaction() as tx:
                await apply(tx, self._table, DomainsChanged(one.project_id, one.environment, one.ordinal, hosts))
        if missed:
            log.info("took %d lists of custom hosts that no event had told", len(missed))
        return len(missed)
