"""A project's deployments, and one of them as it gets on."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from control.gateway.live.watch import watch
from control.gateway.problems import REQUEST_INVALID
from proto.projects.v1 import projects_pb2

LIMIT: Final = 100


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


async def show(call: Call) -> web.Response:
    """GET /v1/projects/{project}/deployments/{id}."""
    return body.answer(present.deployment(await _deployment(call)))


async def events(call: Call) -> web.StreamResponse:
    """GET /v1/projects/{project}/deployments/{id}/events: a JSON line for each step, until it is answered."""
    deployment = await _deployment(call)
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


def number(request: web.Request, name: str, default: int, most: int) -> int:
    """A whole number from the query.

    Raises:
        ShipoffError: REQUEST_INVALID unless it is from 1 to `most`.
    """
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= most):
        raise REQUEST_INVALID(f"{name} must be a number from 1 to {most}")
    return int(text)
