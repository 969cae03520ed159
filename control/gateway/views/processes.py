"""A project's processes and cron jobs: what runs, how many of it, and new ones for old."""

from __future__ import annotations

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from control.gateway.models import Restart, Scale
from proto.orchestrator.v1 import running_pb2


async def index(call: Call) -> web.Response:
    """GET /v1/projects/{project}/processes?environment=production."""
    project = await call.project()
    request = running_pb2.ListProcessesRequest(project_id=project.id, environment=_environment(call))
    found = await call.parts.clients.running.ListProcesses(request)
    names = {process.name for process in found.processes}
    return body.answer(
        {
            "processes": [present.process(one, found.instances) for one in found.processes],
            "others": [present.running(one) for one in found.instances if one.process not in names],
        }
    )


async def scale(call: Call) -> web.Response:
    """POST /v1/projects/{project}/scale: answers with the process as it is to be."""
    project = await call.project()
    wanted = await body.read(call.request, Scale)
    least, most = wanted.bounds
    request = running_pb2.ScaleRequest(
        project_id=project.id,
        environment=wanted.environment,
        process=wanted.process,
        least=least,
        most=most,
        auto=wanted.auto,
        account_id=call.account.id,
    )
    return body.answer(present.process((await call.parts.clients.running.Scale(request)).process, ()))


async def restart(call: Call) -> web.Response:
    """POST /v1/projects/{project}/restart: says how many instances will be replaced."""
    project = await call.project()
    wanted = await body.read(call.request, Restart)
    request = running_pb2.RestartRequest(
        project_id=project.id, environment=wanted.environment, account_id=call.account.id
    )
    return body.answer({"instances": (await call.parts.clients.running.Restart(request)).instances}, 202)


async def crons(call: Call) -> web.Response:
    """GET /v1/projects/{project}/crons?environment=production."""
    project = await call.project()
    request = running_pb2.ListCronsRequest(project_id=project.id, environment=_environment(call))
    return body.answer(present.crons(await call.parts.clients.running.ListCrons(request)))


def _environment(call: Call) -> str:
    return call.request.query.get("environment", "production")
