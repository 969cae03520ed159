"""How long each stage of a deployment may take, and the error of one that took longer.

What runs inside a stage has bounds of its own, which say better what went wrong (a command of a build, a health check).
These are the backstop: whatever hangs, a deployment ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kernel.deployments import Stage
from kernel.errors import ErrorKind, ShipoffError, define
from orchestrator.build.failure import BUILD_TIMED_OUT
from orchestrator.settings import OrchestratorSettings
from orchestrator.turns import QUEUE_TIMED_OUT

SLOW: Final = "deploy again; if it stays so, the platform's log says what it waited for"
CODES: Final[Mapping[Stage, ErrorKind]] = {
    Stage.QUEUE: QUEUE_TIMED_OUT,
    Stage.FETCH: define("FETCH_TIMED_OUT", status=504, hint="is the repository very large? " + SLOW),
    Stage.DETECT: define("DETECT_TIMED_OUT", status=504, hint="is the tree very large? " + SLOW),
    Stage.BUILD: BUILD_TIMED_OUT,
    Stage.ARTIFACT: define("ARTIFACT_TIMED_OUT", status=504, hint="is what was built very large? " + SLOW),
    Stage.RELEASE: define("RELEASE_TIMED_OUT", status=504, hint=SLOW),
    Stage.START: define("START_TIMED_OUT", status=504, hint=SLOW),
    Stage.HEALTH: define("HEALTH_TIMED_OUT", status=504, hint=SLOW),
    Stage.ROUTE: define("ROUTE_TIMED_OUT", status=504, hint=SLOW),
}


class Deadlines:
    """The limits of the settings, in seconds by stage; a stage without one is bounded by who drives it."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._limits_s: dict[Stage, float] = {
            Stage.QUEUE: settings.queue_s,
            Stage.FETCH: settings.fetch_s,
            Stage.DETECT: settings.detect_s,
            Stage.BUILD: settings.build_s,
            Stage.ARTIFACT: settings.artifact_s,
            Stage.RELEASE: settings.release_s,
            Stage.START: settings.launch_s,
            Stage.HEALTH: settings.health_s,
            Stage.ROUTE: settings.route_s,
        }

    def limit_s(self, stage: Stage) -> float | None:
        """How long the stage may take."""
        return self._limits_s.get(stage)

    def error(self, stage: Stage) -> ShipoffError:
        """What to say of a stage that took longer."""
        return CODES[stage](f"the stage {stage} did not end within {self._limits_s[stage]:g} s")
