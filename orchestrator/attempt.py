"""What is known while one deployment is worked on: the stage it is in, how long the stages took, its log."""

from __future__ import annotations

import time

from kernel.database.pool import Row
from kernel.deployments import Kind, Stage
from kernel.errors import ShipoffError
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

    def __init__(self, row: Row, build_log: BuildLog) -> None:
        self.row, self.log = row, build_log
        self.id: str = row["id"]
        self.project_id: str = row["project_id"]
        self.environment: str = row["environment"]
        self.stage = Stage.FETCH if row["kind"] == Kind.BUILD else Stage.RELEASE
        self.timings_ms: dict[str, int] = {}
        self._since = time.monotonic()

    def enter(self, stage: Stage) -> None:
        """Ends the stage before and begins one."""
        self.leave()
        self.stage = stage

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
            detail=error.detail,
            exit_status=exit_status,
            timings_ms=self.timings_ms,
        )
