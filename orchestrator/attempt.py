"""What is known while one deployment is worked on: the stage it is in, how long the stages took, its log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kernel.database.pool import Transaction
from kernel.deployments import Kind, Stage
from kernel.errors import ShipoffError
from orchestrator.deadlines import Deadlines
from orchestrator.environments import Work
from orchestrator.failpoints import Failpoints, Write, after, before, entering
from orchestrator.logs import BuildLog
from orchestrator.moves import Note


class OvertakenError(Exception):
    """The deployment was superseded or canceled between two steps; its row tells by whom."""


class Attempt:
    """One attempt at a deployment; its clock starts with it.

    Attributes:
        row: the deployment's, as it was taken up.
        log: of the build and the release.
        stage: what is being done.
        timings_ms: stage -> milliseconds; the steps of a build are there too, as `build.<step>`.
    """

    def __init__(self, work: Work, build_log: BuildLog, deadlines: Deadlines, failpoints: Failpoints) -> None:
        self.row, self.log = work.row, build_log
        self._lease, self._failpoints = work.lease, failpoints
        self.id: str = work.row["id"]
        self.project_id: str = work.row["project_id"]
        self.environment: str = work.row["environment"]
        self.stage = Stage.FETCH if work.row["kind"] == Kind.BUILD else Stage.RELEASE
        self.timings_ms: dict[str, int] = {Stage.QUEUE.value: work.waited_ms} if work.waited_ms else {}
        self._since = time.monotonic()
        self._deadlines = deadlines
        self._timeout = asyncio.timeout(None)

    @asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """Work inside the block may take as long as the stages that it enters.

        Raises:
            ShipoffError: of the stage that took longer.
        """
        try:
            async with self._timeout:
                self._bound()
                yield
        except TimeoutError:
            if self._timeout.expired():
                raise self._deadlines.error(self.stage) from None
            raise

    @asynccontextmanager
    async def writing(self, what: Write) -> AsyncIterator[Transaction]:
        """A transaction that has an effect only while the lease is ours.

        Raises:
            ShipoffError: LEASE_LOST, DATABASE_UNAVAILABLE.
        """
        async with self._lease.transaction() as tx:
            yield tx
            self._failpoints.reached(before(what))
        self._failpoints.reached(after(what))

    def enter(self, stage: Stage) -> None:
        """Ends the stage before and begins one."""
        self._failpoints.reached(entering(stage))
        self.leave()
        self.stage = stage
        self._bound()

    def leave(self) -> None:
        """Ends the stage; its duration is noted."""
        now = time.monotonic()
        spent = self.timings_ms.get(self.stage.value, 0) + round((now - self._since) * 1000)
        self.timings_ms[self.stage.value] = spent
        self._since = now

    def failed(self, error: ShipoffError, exit_status: int = 0) -> Note:
        """What the row is to say when the present stage was the last."""
        self.leave()
        return Note(
            stage=self.stage.value,
            reason=error.code,
            hint=error.hint,
            detail=self.log.masked(error.detail),
            exit_status=exit_status,
            timings_ms=self.timings_ms,
        )

    def _bound(self) -> None:
        if self._timeout.expired():
            return  # on its way out
        limit_s = self._deadlines.limit_s(self.stage)
        self._timeout.reschedule(None if limit_s is None else asyncio.get_running_loop().time() + limit_s)
