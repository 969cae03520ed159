"""Serial per environment, parallel across: one runner for each environment that has an unfinished deployment.

The database says what is to be done; a runner takes the environment's next deployment, hands it to the deployer and
looks again, until nothing is unfinished. What goes wrong outside a deployment's own stages (the database is away) is
tried again with backoff, from the state that the database shows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.errors import ShipoffError

SQL: Final = load_queries("orchestrator")
BACKOFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
log = logging.getLogger(__name__)
Deploy = Callable[[Row], Coroutine[Any, Any, None]]


class Environments:
    """The runners.

    Args:
        database: of the orchestrator.
        deploy: brings one deployment to its end; cancelled when the deployment has been ended from outside.
    """

    def __init__(self, database: Database, deploy: Deploy) -> None:
        self._database, self._deploy = database, deploy
        self._runners: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._again: set[tuple[str, str]] = set()
        self._current: dict[str, asyncio.Task[None]] = {}

    async def resume(self) -> None:
        """Takes up what an earlier process left unfinished."""
        for row in await self._database.fetch(SQL["unfinished_environments"]):
            self.poke(row["project_id"], row["environment"])

    def poke(self, project_id: str, environment: str) -> None:
        """Says that an environment may have something to do."""
        key = (project_id, environment)
        self._again.add(key)
        if key not in self._runners:
            self._runners[key] = tasks.spawn(self._run(key), f"environment {project_id}/{environment}")

    def interrupt(self, deployment_ids: Iterable[str]) -> None:
        """Stops work on deployments that were ended from outside (superseded, canceled)."""
        for deployment_id in deployment_ids:
            if (task := self._current.get(deployment_id)) is not None:
                task.cancel()

    async def stop(self) -> None:
        """Stops all work; it is taken up again by `resume`."""
        await tasks.stop(*self._runners.values())

    async def _run(self, key: tuple[str, str]) -> None:
        failures = 0
        try:
            while key in self._again:
                self._again.discard(key)
                try:
                    while (row := await self._database.fetchrow(SQL["next_deployment"], *key)) is not None:
                        await self._work(row)
                        failures = 0
                except Exception as error:
                    # Whatever it is, an environment is never left standing: the database says where to go on.
                    expected = isinstance(error, ShipoffError) and error.retryable
                    log.warning("%s/%s waits: %s", *key, error, exc_info=None if expected else error)
                    await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                    failures += 1
                    self._again.add(key)
        finally:
            del self._runners[key]

    async def _work(self, row: Row) -> None:
        task = self._current[row["id"]] = tasks.spawn(self._deploy(row), f"deployment {row['id']}")
        try:
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        finally:
            del self._current[row["id"]]
            await tasks.stop(task)
