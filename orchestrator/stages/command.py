"""The release command (migrations): once per release, before anything of it serves.

It runs in an instance of the release, its output goes to the build log, and its failure ends the deployment while what
served before serves on. An orchestrator that is killed while it runs leaves it running, and the next one follows it:
only when its machine or its keeper dies is it run again.
"""

from __future__ import annotations

from typing import Final

from kernel.database import Database, load_queries
from kernel.deployments import Stage
from kernel.errors import define
from orchestrator.attempt import Attempt
from orchestrator.drivers.base import ExitInfo
from orchestrator.failures import ProcessFailedError
from orchestrator.jobs import Jobs
from orchestrator.patience import Patience
from orchestrator.release.release import Release

RELEASE_COMMAND_FAILED = define(
    "RELEASE_COMMAND_FAILED",
    source="client",
    status=422,
    hint="what served before serves on; the command's output above says why, and it must end with status 0",
)
SQL: Final = load_queries("orchestrator")
NAME: Final = "release:command"  # with a colon, so that a survey knows it for a job (set_instance)


class ReleaseCommand:
    """Runs it.

    Args:
        within_s: how long it may take.
    """

    def __init__(self, database: Database, jobs: Jobs, patience: Patience, within_s: float) -> None:
        self._database, self._jobs, self._patiently, self._within_s = database, jobs, patience, within_s

    async def run(self, attempt: Attempt, release: Release) -> None:
        """Runs the command of the release's plan, unless there is none or it has succeeded before.

        Raises:
            ProcessFailedError: RELEASE_COMMAND_FAILED.
            ShipoffError: the platform's fault.
        """
        command = release.plan.release_command
        if not command or await self._patiently(lambda: self._database.fetchval(SQL["command_done"], release.id)):
            return
        attempt.enter(Stage.COMMAND)
        attempt.log.hide(release.env)
        await attempt.log.say(f"release command: {command}")
        # Repeating it does not run the command twice.
        end = await self._patiently(lambda: self._jobs.run(release, NAME, command, self._within_s, attempt.log.line))
        if end is None or end.reason != "exit" or end.exit_status != 0:
            # No last lines: the log has them already.
            raise ProcessFailedError(RELEASE_COMMAND_FAILED(self._told(end)), end.exit_status if end else 0, ())
        await self._patiently(lambda: self._database.execute(SQL["set_command_done"], release.id))

    def _told(self, end: ExitInfo | None) -> str:
        if end is None:
            return f"the release command still ran after {self._within_s:g} s and was ended"
        if end.exit_status < 0:
            return f"the release command was killed by signal {-end.exit_status}" + (
                " (out of memory)" if end.reason == "memory" else ""
            )
        return f"the release command exited with status {end.exit_status}"
