"""What a switch cost: what the routers measured from the flip until the release before it was idle."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from kernel import tasks
from kernel.activity import ReleaseActivity
from kernel.database import Database, load_queries
from kernel.errors import ShipoffError
from orchestrator.release.measured import REPORT_S, Measurements

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)
SETTLE_S: Final = 2 * REPORT_S + 0.5  # the reports of the second in which the last router took the new table
POLL_S: Final = 1.0


class SwitchCost:
    """Measures in the background; what an orchestrator that was killed had begun stays unmeasured.

    Args:
        within_s: requests of the release before that last longer are not waited for.
    """

    def __init__(self, database: Database, measurements: Measurements, within_s: float) -> None:
        self._database, self._measurements, self._within_s = database, measurements, within_s
        self._running: set[asyncio.Task[None]] = set()

    async def now_ms(self) -> int:
        """When a flip begins; 0 when nobody can say, and then nothing is measured."""
        try:
            return await self._measurements.now_ms()
        except ShipoffError:
            return 0

    def measure(self, deployment_id: str, release: str, before: str, flipped_ms: int) -> None:
        """Begins to measure a switch from one release to another; `before` is "" when nothing served."""
        if flipped_ms:
            work = self._measure(deployment_id, release, before, flipped_ms)
            task = tasks.spawn(work, f"measures the switch of {deployment_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        """Stops measuring."""
        await tasks.stop(*self._running)

    async def _measure(self, deployment_id: str, release: str, before: str, flipped_ms: int) -> None:
        await asyncio.sleep(SETTLE_S)
        try:
            for _ in range(int(self._within_s / POLL_S)):
                if not await self._is_busy(before):
                    break
                await asyncio.sleep(POLL_S)
            sums = await self._measurements.since(flipped_ms, {release, before} - {""})
            await self._database.execute(SQL["set_measured"], deployment_id, _told(list(sums.values())))
        except ShipoffError as error:
            log.warning("the switch of %s is not measured: %s", deployment_id, error)

    async def _is_busy(self, release: str) -> bool:
        """Whether the routers' latest reports show requests of a release; one that has none is in none."""
        start_ms = await self._measurements.now_ms() - round(SETTLE_S * 1000)
        found = (await self._measurements.since(start_ms, {release}))[release]
        return found.in_flight > 0 or found.requests > 0


def _told(both: list[ReleaseActivity]) -> dict[str, Any]:
    def total(name: str) -> int:
        return sum(getattr(one, name) for one in both)

    return {name: total(name) for name in ("requests", "retried", "held", "failed", "upstream_5xx")}
