"""A project's deployments, and one of them as it gets on."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import orjson

from control.gateway.call import Call
from control.gateway.live.watch import NOTHING, Step, watch
from control.gateway.models import deployments as models
from control.gateway.models.base import next_cursor
from control.gateway.problems import REQUEST_INVALID
from control.gateway.stream import Stream, last_event
from kernel import ids
from kernel.deployments import State
from kernel.errors import ShipoffError
from proto.orchestrator.v1 import orchestrator_pb2
from proto.projects.v1 import projects_pb2

REPORT_S: Final = 1.0
log = logging.getLogger(__name__)


async def index(call: Call, query: models.DeploymentPage) -> models.DeploymentList:
    """GET /v1/projects/{project}/deployments: lists deployments, newest first."""
    request = projects_pb2.ListDeploymentsRequest(
        project_id=call.found.id,
        limit=query.limit,
        before=query.before,
        environment=query.environment,
        states=_parts(query.state.upper()),
        kinds=_parts(query.kind.lower()),
    )
    found = (await call.clients.projects.ListDeployments(request)).deployments
    return {
        "deployments": [models.deployment(one) for one in found],
        "next_before": next_cursor(found, query.limit, lambda last: last.id),
    }


async def create(call: Call, body: models.CreateDeployment) -> models.DeploymentShape:
    """POST /v1/projects/{project}/deployments: rolls back, promotes, or gives what is live the variables of now."""
    if body.kind == "promote" and not body.release:
        raise REQUEST_INVALID("a promotion names its release", hint="a release, a deployment, or an environment")
    release_id = "" if body.kind == "config" else await _release(call, body)
    request = projects_pb2.CreateDeploymentRequest(
        deployment_id=ids.new("dep"),
        project_id=call.found.id,
        environment=body.environment,
        actor_id=call.who.actor_id,
        kind=body.kind,
        release_id=release_id,
        canary=orjson.dumps(body.canary).decode() if body.canary else "",
    )
    return models.deployment(await call.clients.projects.CreateDeployment(request))


async def show(call: Call) -> models.DeploymentDetailShape:
    """GET /v1/projects/{project}/deployments/{id}: shows a deployment, with what the routers measured of it."""
    deployment = await _deployment(call)
    return {**models.deployment(deployment), **models.report(await _report(call, deployment))}


async def redeploy(call: Call) -> models.DeploymentShape:
    """POST /v1/projects/{project}/deployments/{id}/redeploy: builds its commit again, with the settings of now.

    It goes to the environment of the deployment that is named, whatever became of that one.
    """
    request = projects_pb2.RedeployRequest(
        deployment_id=ids.new("dep"), project_id=call.found.id, of=call.named("id"), actor_id=call.who.actor_id
    )
    return models.deployment(await call.clients.projects.Redeploy(request))


async def cancel(call: Call) -> models.DeploymentShape:
    """POST /v1/projects/{project}/deployments/{id}/cancel: cancels a deployment; the build's processes are killed."""
    request = projects_pb2.GetDeploymentRequest(deployment_id=call.named("id"), project_id=call.found.id)
    return models.deployment(await call.clients.projects.CancelDeployment(request))


async def steer(call: Call, body: models.SteerCanary) -> models.ReportShape:
    """POST /v1/projects/{project}/deployments/{id}/canary: ends a canary before its time."""
    deployment = await _deployment(call)
    request = orchestrator_pb2.SteerCanaryRequest(
        project_id=deployment.project_id, deployment_id=deployment.id, order=body.order
    )
    return models.report(await call.clients.orchestrator.SteerCanary(request))


async def events(call: Call) -> Stream[models.StepShape]:
    """GET /v1/projects/{project}/deployments/{id}/events: follows a deployment step by step, until it is answered."""
    deployment = await _deployment(call)
    return Stream(_steps(call, deployment.id, _known(last_event(call.request))), mark=_mark)


def _mark(step: models.StepShape) -> str:
    return f"{step['state']}/{step['stage'] or ''}"


def _known(last: str) -> tuple[int, int]:
    """How far a client has followed that shows this mark."""
    if not last:
        return NOTHING
    state, _, stage = last.partition("/")
    try:
        return Step(State(state), stage).order()
    except ValueError as error:
        raise REQUEST_INVALID(
            "Last-Event-ID is the id of no step", hint="send the id of an event as it came"
        ) from error


async def _steps(call: Call, deployment_id: str, known: tuple[int, int]) -> AsyncGenerator[models.StepShape, None]:
    async with aclosing(watch(call.parts.live, call.clients.projects, deployment_id)) as steps:
        async for step in steps:
            if step.order() > known:
                yield models.step(deployment_id, step)


async def _deployment(call: Call) -> projects_pb2.Deployment:
    request = projects_pb2.GetDeploymentRequest(deployment_id=call.named("id"), project_id=call.found.id)
    return await call.clients.projects.GetDeployment(request)


async def _report(call: Call, deployment: projects_pb2.Deployment) -> orchestrator_pb2.Report:
    request = orchestrator_pb2.GetReportRequest(project_id=deployment.project_id, deployment_id=deployment.id)
    try:
        return await call.clients.orchestrator.GetReport(request, timeout=REPORT_S)
    except ShipoffError as error:  # how a deployment stands is told without the orchestrator too
        log.info("%s is shown without its report: %s", deployment.id, error)
        return orchestrator_pb2.Report(measured="{}", canary="{}", canary_state="{}")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


async def _release(call: Call, wanted: models.CreateDeployment) -> str:
    """Refuses what is not kept before a deployment is made of it."""
    request = orchestrator_pb2.FindReleaseRequest(
        project_id=call.found.id, environment=wanted.environment, wanted=wanted.release
    )
    return (await call.clients.orchestrator.FindRelease(request)).id
