"""Wakes a release that sleeps: once for each sleep, however many routers ask and orchestrators hear it.

What makes it once is the release's endpoints record: whoever turns `asleep` into `waking` has woken it, in the
transaction that says how many instances are wanted. All others find it done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter

from kernel.database import Database, load_queries
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import WEB
from orchestrator.routes import RouteTable
from orchestrator.scaling import scales_of, set_desired

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)
WOKEN = Counter("shipoff_releases_woken_total", "Times that a sleeping release was woken")


class Waker:
    """Wakes.

    Args:
        look: tells the keeper that there is something to start.
    """

    def __init__(self, database: Database, table: RouteTable, look: Callable[[], None]) -> None:
        self._database, self._table, self._look = database, table, look

    async def wake(self, release_id: str) -> bool:
        """Wakes a release; False when it does not sleep, is not served any more, or is switched off.

        Raises:
            ShipoffError: the database is away.
        """
        async with self._database.transaction() as tx:
            await tx.execute(SQL["lock_endpoints"], release_id)
            row = await tx.fetchrow(SQL["sleeping_release"], release_id)
            if row is None:
                return False
            environment = (row["project_id"], row["environment"])
            scales = await tx.fetch(SQL["scales_of"], *environment)
            if not scales_of(scales, BuildPlan.from_json(row["plan"]))[WEB].may_wake:
                return False
            await self._table.put_endpoints(tx, release_id, [], "waking")
            await set_desired(tx, *environment, 1, "wake")
        WOKEN.inc()
        log.info("%s of %s/%s wakes", release_id, *environment)
        self._look()
        return True
