"""Ends previews that nobody has deployed to for their time."""

from __future__ import annotations

import asyncio
from typing import Final

from control.projects.previews.service import PREVIEW_NOT_FOUND, Previews
from kernel import tasks
from kernel.errors import ShipoffError

EVERY_S: Final = 30.0  # an expiry is a matter of days


class Expiry:
    """The sweeper; several of them do no harm."""

    def __init__(self, previews: Previews) -> None:
        self._previews = previews
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins sweeping in the background."""
        self._task = tasks.spawn(tasks.repeat(self.sweep, EVERY_S, "previews are not swept"), "expiry of previews")

    async def stop(self) -> None:
        """Stops."""
        await tasks.stop(self._task)

    async def sweep(self) -> int:
        """Ends what is over now; returns how many were."""
        ended = 0
        for project_id, environment in await self._previews.expired():
            try:
                await self._previews.end(project_id, environment)
                ended += 1
            except ShipoffError as error:
                if error.code != PREVIEW_NOT_FOUND.code:  # somebody else was faster
                    raise
        return ended
