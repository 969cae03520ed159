"""Follows one deployment to its answer: events as they come, and the truth every second in case one was missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from control.gateway.identity import as_platform
from control.gateway.live.view import Changes, LiveView
from kernel.deployments import ANSWERED, Stage, State
from kernel.errors import ShipoffError, define
from kernel.events import DeploymentStateChanged
from proto.projects.v1 import projects_pb2

if TYPE_CHECKING:
    from proto.projects.v1.projects_pb2_grpc import ProjectsStub

DEPLOYMENT_OUT_OF_SIGHT = define(
    "DEPLOYMENT_OUT_OF_SIGHT",
    status=503,
    retryable=True,
    hint="the deployment goes on; see how it ends with: shipoff deployments",
)

TRUTH_EVERY_S: Final = 1.0
TRUTH_TIMEOUT_S: Final = 2.0
LOST_AFTER_S: Final = 60.0  # longer than a restart of any service

NOTHING: Final = (-1, -1)  # the order of what comes before every step
_STATES: Final = {State.QUEUED: 0, State.BUILDING: 1, State.PROVISIONING: 2}
_STAGES: Final = {stage.value: number for number, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class Step:
    """Where a deployment is now."""

    state: State
    stage: str
    reason: str = ""
    hint: str = ""
    detail: str = ""
    exit_status: int = 0
    url: str = ""

    @property
    def answered(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ANSWERED

    def order(self) -> tuple[int, int]:
        """Grows as a deployment gets on, so that news which are older than what is known can be told."""
        return _STATES.get(self.state, 3), -1 if self.answered else _STAGES.get(self.stage, -1)


async def watch(live: LiveView, projects: ProjectsStub, deployment_id: str) -> AsyncGenerator[Step, None]:
    """Yields each step of a deployment, beginning with the present one; the last one is an answer.

    Raises:
        ShipoffError: DEPLOYMENT_NOT_FOUND, or DEPLOYMENT_OUT_OF_SIGHT when the truth cannot be had for a minute.
    """
    loop = asyncio.get_running_loop()
    known, seen_at, next_truth = NOTHING, loop.time(), 0.0
    with live.changes(deployment_id) as changes:
        while True:
            step: Step | None = None
            if loop.time() >= next_truth:
                step = await _truth(projects, deployment_id)
                next_truth = loop.time() + TRUTH_EVERY_S
            else:
                step = await _news(changes, next_truth - loop.time())
            if step is not None:
                seen_at = loop.time()
                if step.order() > known:
                    known = step.order()
                    yield step
                if step.answered:
                    return
            elif loop.time() - seen_at > LOST_AFTER_S:
                raise DEPLOYMENT_OUT_OF_SIGHT("the platform cannot be asked about the deployment")


async def _news(changes: Changes, within_s: float) -> Step | None:
    try:
        change = await asyncio.wait_for(changes.get(), max(within_s, 0.001))
        return of_event(change)
    except (TimeoutError, ValueError):  # ValueError: a state that only a newer platform knows; the truth will tell
        return None


async def _truth(projects: ProjectsStub, deployment_id: str) -> Step | None:
    try:
        request = projects_pb2.GetDeploymentRequest(deployment_id=deployment_id)
        with as_platform():  # whoever watches was asked for the right, and a passport does not last as long as a build
            return of_row(await projects.GetDeployment(request, timeout=TRUTH_TIMEOUT_S))
    except ShipoffError as error:
        if not error.retryable:
            raise
        return None


def of_event(change: DeploymentStateChanged) -> Step:
    """The step that an event tells of."""
    return Step(
        State(change.state), change.stage, change.reason, change.hint, change.detail, change.exit_status, change.url
    )


def of_row(row: projects_pb2.Deployment) -> Step:
    """The step that a deployment's row is at."""
    return Step(State(row.state), row.stage, row.reason, row.hint, "", row.exit_status, row.url)
