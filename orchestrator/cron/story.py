"""Jobs and their runs, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kernel.database import Database, load_queries
from kernel.database.pool import Row
from orchestrator.build.plan import BuildPlan
from orchestrator.build.running import Cron

SQL: Final = load_queries("orchestrator.cron")


class CronStory:
    """Reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, project_id: str, environment: str) -> tuple[Sequence[Cron], list[Row], datetime]:
        """The live release's jobs, the last 100 runs of the environment (newest first), and the database's time."""
        plan = await self._database.fetchval(SQL["live_plan"], project_id, environment)
        crons = () if plan is None else BuildPlan.from_json(plan).crons
        runs = await self._database.fetch(SQL["last_runs"], project_id, environment)
        return crons, runs, await self._database.fetchval(SQL["database_time"])
