"""Carries out the steps that bring a process to as many instances as are wanted, without a request cut short."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from orchestrator.build.running import Process
from orchestrator.convergence import Replace, Start, Step, Stop
from orchestrator.endpoints import Empty, Endpoints
from orchestrator.leases import Writing
from orchestrator.plan_limits import Room
from orchestrator.release.drain import Drain
from orchestrator.release.release import Release
from orchestrator.starter import Starter

NO_ROOM_S: Final = 5.0  # until it is looked again whether a tenant's other instances have gone
AT_ONCE: Final = 4  # starts at a time on this machine: a start is mostly CPU


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A process of a current release.

    Attributes:
        host: where it is served, for the health check.
        empty: the state of the endpoints record when none of its instances is ready.
    """

    release: Release
    process: Process
    host: str
    empty: Empty


class Replicas:
    """Starts first, publishes, and only then takes away."""

    def __init__(self, starter: Starter, endpoints: Endpoints, drain: Drain, room: Room) -> None:
        self._starter, self._endpoints, self._drain, self._room = starter, endpoints, drain, room
        self._starts = asyncio.Semaphore(AT_ONCE)

    async def carry_out(self, writing: Writing, place: Place, step: Step) -> None:
        """Does one step.

        Args:
            writing: transactions of the one who decided it, as long as it is his to decide.

        Raises:
            ProcessFailedError: an instance did not come up; the others of the step did, and serve.
            ShipoffError: LEASE_LOST, the driver's, or the database is away.
        """
        match step:
            case Start(count):
                if may := await self._room.for_release(place.release.id, count):
                    await self._start(writing, place, may)
                else:
                    log.info("%s has no room for more instances", place.release.project_id)
                    await asyncio.sleep(NO_ROOM_S)
            case Replace(instance_id):
                await self._start(writing, place, 1)
                await self._drain.take_out(writing, place.release.id, [instance_id], place.empty)
            case Stop(instance_ids):
                await self._drain.take_out(writing, place.release.id, list(instance_ids), place.empty)

    async def _start(self, writing: Writing, place: Place, count: int) -> None:
        ends = await asyncio.gather(*(self._add(writing, place) for _ in range(count)), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _add(self, writing: Writing, place: Place) -> None:
        async with self._starts:
            await self._starter.bring_up(place.release, place.process, place.host)
        async with writing() as tx:
            await self._endpoints.publish(tx, place.release.id, place.empty)
