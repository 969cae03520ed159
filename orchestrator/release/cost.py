"""What a switch cost: what the routers measured from the flip until the release before it was idle."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from kernel import tasks
from kernel.activity import ReleaseActivity
from kernel.database import Database, load_queries
from orchestrator.release.measured import REPORT_S, Measurements

SQL: Final = load_queries("orchestrator")
SETTLE_S: Final = 2 * REPORT_S + 0.5  # the reports of the second in which the last router took the new table
EVERY_S: Final = 1.0
LONGEST_S: Final = 50.0  # reports are kept for a minute


class SwitchCost:
    """Looks for switches that are over and not measured yet, whoever made them; several that do it do no harm.

    Args:
        within_s: requests of the release before that last longer are not waited for.
    """

    def __init__(self, database: Database, measurements: Measurements, within_s: float) -> None:
        self._database, self._measurements = database, measurements
        self._within_s = min(within_s, LONGEST_S - SETTLE_S)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins measuring in the background."""
        self._task = tasks.spawn(tasks.repeat(self.measure, EVERY_S, "switches are not measured"), "costs of switches")

    async def stop(self) -> None:
        """Stops; what is not measured yet another orchestrator measures, or this one when it starts in time."""
        await tasks.stop(self._task)

    async def measure(self) -> None:
        """Measures what can be measured now.

        Raises:
            ShipoffError: the database or Redis is away.
        """
        for row in await self._database.fetch(SQL["unmeasured_switches"], SETTLE_S):
            before: str = row["before"]
            if before and row["age_s"] < SETTLE_S + self._within_s and await self._is_busy(before):
                continue
            start_ms = await self._measurements.now_ms() - round(row["age_s"] * 1000)
            sums = await self._measurements.since(start_ms, {row["release_id"], before} - {""})
            await self._database.execute(SQL["set_measured"], row["id"], _told(list(sums.values())))

    async def _is_busy(self, release: str) -> bool:
        """Whether the routers' latest reports show requests of a release; one that has none is in none."""
        start_ms = await self._measurements.now_ms() - round(SETTLE_S * 1000)
        found = (await self._measurements.since(start_ms, {release}))[release]
        return found.in_flight > 0 or found.requests > 0


def _told(both: list[ReleaseActivity]) -> dict[str, Any]:
    def total(name: str) -> int:
        return sum(getattr(one, name) for one in both)

    return {name: total(name) for name in ("requests", "retried", "held", "failed", "upstream_5xx")}
