"""A project's deployments, and one of them as it gets on."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import Final

import orjson
from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from control.gateway.live.watch import watch
from control.gateway.models import CreateDeployment, SteerCanary
from control.gateway.problems import REQUEST_INVALID
from kernel import ids
from kernel.errors import ShipoffError
from kernel.rpc import wire
from proto.orchestrator.v1 import orchestrator_pb2
from proto.projects.v1 import projects_pb2

LIMIT: Final = 100
REPORT_S: Final = 1.0
log = logging.getLogger(__name__)


async def index(call: Call) -> web.Response:
    """GET /v1/projects/{project}/deployments?limit=&before=: newest first."""
    project = await call.project()
    limit = number(call.request, "limit", 20, LIMIT)
    request = projects_pb2.ListDeploymentsRequest(
        project_id=project.id, limit=limit, before=call.request.query.get("before", "")
    )
    found = (await call.parts.clients.projects.ListDeployments(request)).deployments
    further = found[-1].id if len(found) == limit else None
    return body.answer({"deployments": [present.deployment(one) for one in found], "next_before": further})


async def create(call: Call) -> web.Response:
    """POST /v1/projects/{project}/deployments: a rollback, a promotion, or what is live with the variables of now."""
    project = await call.project()
    wanted = await body.read(call.request, CreateDeployment)
    if wanted.kind == "promote" and not wanted.release:
        raise REQUEST_INVALID("a promotion names its release", hint="a release, a deployment, or an environment")
    release_id = "" if wanted.kind == "config" else await _release(call, project.id, wanted)
    request = projects_pb2.CreateDeploymentRequest(
        deployment_id=ids.new("dep"),
        project_id=project.id,
        environment=wanted.environment,
        actor_id=call.account.id,
        kind=wanted.kind,
        release_id=release_id,
        canary=orjson.dumps(wanted.canary).decode() if wanted.canary else "",
    )
    return body.answer(present.deployment(await call.parts.clients.projects.CreateDeployment(request)), status=201)


async def show(call: Call) -> web.Response:
    """GET /v1/projects/{project}/deployments/{id}: with what the routers measured of it."""
    deployment = await _deployment(call)
    return body.answer({**present.deployment(deployment), **present.report(await _report(call, deployment))})


async def cancel(call: Call) -> web.Response:
    """POST /v1/projects/{project}/deployments/{id}/cancel: asks for its end; the build's processes are killed."""
    project = await call.project()
    request = projects_pb2.GetDeploymentRequest(deployment_id=call.request.match_info["id"], project_id=project.id)
    return body.answer(present.deployment(await call.parts.clients.projects.CancelDeployment(request)), status=202)


async def steer(call: Call) -> web.Response:
    """POST /v1/projects/{project}/deployments/{id}/canary: ends a canary before its time."""
    deployment = await _deployment(call)
    wanted = await body.read(call.request, SteerCanary)
    request = orchestrator_pb2.SteerCanaryRequest(
        project_id=deployment.project_id, deployment_id=deployment.id, order=wanted.order
    )
    return body.answer(present.report(await call.parts.clients.orchestrator.SteerCanary(request)))


async def events(call: Call) -> web.StreamResponse:
    """GET /v1/projects/{project}/deployments/{id}/events: a JSON line for each step, until it is answered."""
    deployment = await _deployment(call)
    wire.identity.set("platform:gateway")  # a deployment lasts longer than the passport under which it was found
    lines = body.Lines(call.request)
    await lines.start()
    steps = watch(call.parts.live, call.parts.clients.projects, deployment.id)
    async with aclosing(steps):
        async for step in steps:
            await lines.send(present.step(deployment.id, step))
    return await lines.end()


async def _deployment(call: Call) -> projects_pb2.Deployment:
    project = await call.project()
    request = projects_pb2.GetDeploymentRequest(deployment_id=call.request.match_info["id"], project_id=project.id)
    return await call.parts.clients.projects.GetDeployment(request)


async def _report(call: Call, deployment: projects_pb2.Deployment) -> orchestrator_pb2.Report:
    request = orchestrator_pb2.GetReportRequest(project_id=deployment.project_id, deployment_id=deployment.id)
    try:
        return await call.parts.clients.orchestrator.GetReport(request, timeout=REPORT_S)
    except ShipoffError as error:  # how a deployment stands is told without the orchestrator too
        log.info("%s is shown without its report: %s", deployment.id, error)
        return orchestrator_pb2.Report(measured="{}", canary="{}", canary_state="{}")


async def _release(call: Call, project_id: str, wanted: CreateDeployment) -> str:
    """Refuses what is not kept before a deployment is made of it."""
    request = orchestrator_pb2.FindReleaseRequest(
        project_id=project_id, environment=wanted.environment, wanted=wanted.release
    )
    return (await call.parts.clients.orchestrator.FindRelease(request)).id


def number(request: web.Request, name: str, default: int, most: int) -> int:
    """A whole number from the query.

    Raises:
        ShipoffError: REQUEST_INVALID unless it is from 1 to `most`.
    """
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= most):
        raise REQUEST_INVALID(f"{name} must be a number from 1 to {most}")
    return int(text)
