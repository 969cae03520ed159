"""Deployments: what makes one, how it is shown, and the steps that it takes."""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from pydantic import Field
from typing_extensions import TypedDict  # which knows its bases, so that their fields' descriptions are found

from control.gateway.live.watch import Step
from control.gateway.models.base import LIMIT_MAX, Body, Json, Query, Short, time_of
from kernel.deployments import State
from proto.orchestrator.v1 import orchestrator_pb2
from proto.projects.v1 import projects_pb2


class DeploymentPage(Query):
    """Which deployments.

    Attributes:
        limit: how many at most.
        before: dep_…; only older ones.
        environment: only of this one; empty is any.
        state: only in one of these, with commas between; empty is any.
        kind: only of one of these, with commas between; empty is any.
    """

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 20
    before: Short = ""
    environment: Short = ""
    state: Short = ""
    kind: Short = ""


class CreateDeployment(Body):
    """Brings a release live that is there already; a build comes by git.

    Attributes:
        kind: `rollback`, `promote`, or `config` (what is live, with the variables of now).
        release: rel_…, dep_… (what that brought live), an environment (what is live there), or empty: for a rollback
            what served before. `config` takes none.
        environment: where.
        canary: a plan of shares, as ARCHITECTURE.md has it; empty for none.
    """

    kind: Literal["rollback", "promote", "config"]
    release: Short = ""
    environment: Short = "production"
    canary: Json = Field(default_factory=dict)


class SteerCanary(Body):
    """Ends a canary before its time.

    Attributes:
        order: `promote` gives it all requests at once, `abort` none.
    """

    order: Literal["promote", "abort"]


class FailureShape(TypedDict):
    """What went wrong.

    Attributes:
        stage: in which it did.
        reason: an error code.
        hint: what to do.
        exit_status: of the process that failed, negative for a signal; 0 when there was none.
    """

    stage: str
    reason: str
    hint: str
    exit_status: int


class StepFailureShape(FailureShape):
    """What went wrong, as it happens.

    Attributes:
        detail: what happened this time.
    """

    detail: str


class DeploymentShape(TypedDict):
    """A deployment.

    Attributes:
        id: dep_….
        project_id: prj_….
        environment: `production`, or `preview/…`.
        kind: `build`, `rollback`, `promote` or `config`.
        state: where it is: QUEUED, BUILDING, PROVISIONING, LIVE, INACTIVE, FAILED, CANCELED or SUPERSEDED.
        stage: of that state; null between stages.
        failure: null unless it FAILED.
        commit: that it was built of; empty where none was.
        message: the first line of the commit's.
        actor_id: who asked for it: acc_…, tok_…, or a service of the platform; null when that is not known.
        redeploy_of: dep_… whose commit was built again; null when it is none.
        url: where it is served; null before it is.
        release_id: rel_… that it brings live; null before there is one.
        timings_ms: stage to duration in milliseconds.
        created_at: RFC 3339.
        updated_at: RFC 3339.
    """

    id: str
    project_id: str
    environment: str
    kind: str
    state: str
    stage: str | None
    failure: FailureShape | None
    commit: str
    message: str
    actor_id: str | None
    redeploy_of: str | None
    url: str | None
    release_id: str | None
    timings_ms: dict[str, int]
    created_at: str
    updated_at: str


class ReportShape(TypedDict):
    """What was measured of a deployment while it took over, and how its canary fares.

    Attributes:
        measured: counts of requests; null until it is measured.
        canary: its plan, step and weight; null without one.
    """

    measured: Json | None
    canary: Json | None


class DeploymentDetailShape(DeploymentShape, ReportShape):
    """A deployment with what the routers measured of it."""


class DeploymentList(TypedDict):
    """Deployments, newest first.

    Attributes:
        deployments: of this page.
        next_before: the `before` of the next page; null after the last.
    """

    deployments: list[DeploymentShape]
    next_before: str | None


class StepShape(TypedDict):
    """A step of a deployment, as it happens.

    Attributes:
        deployment_id: dep_….
        state: where it is now.
        stage: of that state; null between stages.
        failure: null unless it FAILED.
        url: where it is served; null before it is.
        answered: whether this is the last step.
    """

    deployment_id: str
    state: str
    stage: str | None
    failure: StepFailureShape | None
    url: str | None
    answered: bool


def deployment(message: projects_pb2.Deployment) -> DeploymentShape:
    """A deployment as the API shows it."""
    failure: FailureShape = {
        "stage": message.stage,
        "reason": message.reason,
        "hint": message.hint,
        "exit_status": message.exit_status,
    }
    return {
        "id": message.id,
        "project_id": message.project_id,
        "environment": message.environment,
        "kind": message.kind,
        "state": message.state,
        "stage": message.stage or None,
        "failure": failure if message.state == State.FAILED else None,
        "commit": message.commit,
        "message": message.message,
        "actor_id": message.actor_id or None,
        "redeploy_of": message.redeploy_of or None,
        "url": message.url or None,
        "release_id": message.release_id or None,
        "timings_ms": dict(message.timings_ms),
        "created_at": time_of(message.created_at_ms),
        "updated_at": time_of(message.updated_at_ms),
    }


def report(message: orchestrator_pb2.Report) -> ReportShape:
    """What was measured, as the API shows it."""
    measured, plan = orjson.loads(message.measured), orjson.loads(message.canary)
    return {
        "measured": measured or None,
        "canary": {"plan": plan, **orjson.loads(message.canary_state)} if plan else None,
    }


def step(deployment_id: str, seen: Step) -> StepShape:
    """A step as the API shows it."""
    failure: StepFailureShape = {
        "stage": seen.stage,
        "reason": seen.reason,
        "hint": seen.hint,
        "exit_status": seen.exit_status,
        "detail": seen.detail,
    }
    return {
        "deployment_id": deployment_id,
        "state": seen.state,
        "stage": seen.stage or None,
        "failure": failure if seen.state is State.FAILED else None,
        "url": seen.url or None,
        "answered": seen.answered,
    }
