"""Notices instances that run and answer nothing: a deadlock looks well from outside.

Each ready web instance is asked what its plan's health check asks. Any answer will do, an error's too: an app whose
database is away is not helped by a new start. After `MISSES` rounds in a row without one it is ill, and the keeper
replaces it, the new one serving before the old one leaves. The routers have long set it aside then; this is what brings
back its share of the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from pydantic import TypeAdapter

from kernel import tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from orchestrator.build.running import Health
from orchestrator.release.health import Check, answers

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)
MISSES: Final = 6  # a minute: an app with one thread may be busy that long with one honest request
AT_ONCE: Final = 16  # instances that are asked at a time; each takes a thread
_HEALTH: Final = TypeAdapter(Health)


class Liveness:
    """The rounds. `ill` are those that answered nothing for so long.

    Args:
        every_s: between two rounds.
        found: called when somebody else is ill.
    """

    def __init__(self, database: Database, every_s: float, found: Callable[[], None]) -> None:
        self._database, self._every_s, self._found = database, every_s, found
        self._misses: dict[str, int] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    @property
    def ill(self) -> frozenset[str]:
        """Instances that are to be replaced."""
        return frozenset(instance_id for instance_id, misses in self._misses.items() if misses >= MISSES)

    def start(self) -> None:
        """Begins in the background."""
        self._task = tasks.spawn(
            tasks.repeat(self.round, self._every_s, "nobody asks the instances for now"), "liveness of instances"
        )

    async def stop(self) -> None:
        """Ends the rounds."""
        await tasks.stop(self._task)

    async def round(self) -> None:
        """Asks every instance once; what has ended meanwhile is forgotten."""
        rows, before = await self._database.fetch(SQL["serving_instances"]), self.ill
        alive = await asyncio.gather(*(self._answers(row) for row in rows))
        self._misses = {
            row["id"]: 0 if well else self._misses.get(row["id"], 0) + 1 for row, well in zip(rows, alive, strict=True)
        }
        for instance_id in self.ill - before:
            log.warning("instance %s has not answered %d times: it is replaced", instance_id, MISSES)
            self._found()

    async def _answers(self, row: Row) -> bool:
        check = Check(_HEALTH.validate_python(row["health"] or {}), row["host"], strict=False)
        async with self._slots:
            return await answers(row["address"], check)
