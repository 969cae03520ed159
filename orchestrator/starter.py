"""Starts instances and lets them through their gate, all of those asked for or none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kernel.database import Database
from kernel.deployments import Stage
from kernel.errors import ShipoffError
from orchestrator.build.running import Process
from orchestrator.drivers.base import InstanceInfo
from orchestrator.failures import ProcessFailedError
from orchestrator.instances import UNHEALTHY, Instances
from orchestrator.release.health import Check, wait_until_healthy
from orchestrator.release.release import Release

Enter = Callable[[Stage], None]


def _ignore(_: Stage) -> None:
    """Nobody asked."""


class Starter:
    """Brings instances up.

    Args:
        start_s: an app must pass its gate within this many seconds of its start.
    """

    def __init__(self, database: Database, instances: Instances, start_s: float) -> None:
        self._database, self._instances, self._start_s = database, instances, start_s

    async def bring_up(
        self, release: Release, process: Process, host: str, count: int = 1, enter: Enter = _ignore
    ) -> list[InstanceInfo]:
        """Starts instances and returns when all are healthy and marked ready; if one fails, all are stopped.

        A worker has no gate: it is ready when its process runs.

        Args:
            release: whose.
            process: of the release's plan.
            host: the Host header of the health check.
            count: how many.
            enter: told when the start begins and when the first health check begins.

        Raises:
            ProcessFailedError: the app ended, did not listen, or did not pass its health check.
            ShipoffError: the driver's, or the database is away.
        """
        enter(Stage.START)
        with self._instances.pending(count) as instance_ids:
            try:
                infos = await self._all(release, process, host, instance_ids, enter)
                async with self._database.transaction() as tx:
                    for info in infos:
                        await self._instances.mark(tx, info.instance_id, "ready", info.address)
            except BaseException:  # also when cancelled: a newer deployment took over
                await asyncio.shield(self._undo(instance_ids))
                raise
        return infos

    async def _all(
        self, release: Release, process: Process, host: str, instance_ids: list[str], enter: Enter
    ) -> list[InstanceInfo]:
        try:
            async with asyncio.TaskGroup() as group:
                starts = [
                    group.create_task(self._one(release, process, instance_id, host, enter))
                    for instance_id in instance_ids
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the others were cancelled for its sake
        return [start.result() for start in starts]

    async def _one(self, release: Release, process: Process, instance_id: str, host: str, enter: Enter) -> InstanceInfo:
        info = await self._instances.start(release, process, instance_id)
        if process.kind == "web":
            enter(Stage.HEALTH)
            try:
                await self._gate(release, info, host)
            except ProcessFailedError:
                await self._instances.stop(instance_id, 0.0, UNHEALTHY)
                raise
        return info

    async def _gate(self, release: Release, info: InstanceInfo, host: str) -> None:
        check = Check(release.plan.health, host, release.health_strict)
        exited = self._instances.exited(info.instance_id)
        try:
            await wait_until_healthy(info.address, check, exited, self._start_s)
        except ShipoffError as error:
            if exited.done():
                end = exited.result()
                raise ProcessFailedError(error, end.exit_status, end.last_lines) from error
            raise ProcessFailedError(error, 0, await self._instances.last_lines(info.instance_id)) from error

    async def _undo(self, instance_ids: list[str]) -> None:
        await asyncio.gather(*(self._instances.discard(instance_id) for instance_id in instance_ids))
