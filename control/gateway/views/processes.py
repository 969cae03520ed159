"""A project's processes and cron jobs: what runs, how many of it, and new ones for old."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import crons as cron_models
from control.gateway.models import processes as models
from proto.orchestrator.v1 import running_pb2


async def index(call: Call, query: models.EnvironmentQuery) -> models.ProcessList:
    """GET /v1/projects/{project}/processes: lists what an environment runs."""
    request = running_pb2.ListProcessesRequest(project_id=call.found.id, environment=query.environment)
    found = await call.clients.running.ListProcesses(request)
    names = {process.name for process in found.processes}
    return {
        "processes": [models.process(one, found.instances) for one in found.processes],
        "others": [models.running(one) for one in found.instances if one.process not in names],
    }


async def scale(call: Call, body: models.Scale) -> models.ProcessShape:
    """POST /v1/projects/{project}/scale: sets how many instances a process has."""
    least, most = body.bounds
    request = running_pb2.ScaleRequest(
        project_id=call.found.id,
        environment=body.environment,
        process=body.process,
        least=least,
        most=most,
        auto=body.auto,
        account_id=call.who.actor_id,
    )
    return models.process((await call.clients.running.Scale(request)).process, ())


async def restart(call: Call, body: models.Restart) -> models.RestartedShape:
    """POST /v1/projects/{project}/restart: replaces every instance, one after the other."""
    request = running_pb2.RestartRequest(
        project_id=call.found.id, environment=body.environment, account_id=call.who.actor_id
    )
    return {"instances": (await call.clients.running.Restart(request)).instances}


async def crons(call: Call, query: models.EnvironmentQuery) -> cron_models.CronList:
    """GET /v1/projects/{project}/crons: lists the cron jobs of what is live, and what ran of late."""
    request = running_pb2.ListCronsRequest(project_id=call.found.id, environment=query.environment)
    return cron_models.crons(await call.clients.running.ListCrons(request))
