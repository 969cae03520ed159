"""What the owner of a project says of its routes."""

from __future__ import annotations

import json

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call
from control.gateway.models import SetRules
from proto.projects.v1 import projects_pb2


async def show(call: Call) -> web.Response:
    """GET /v1/projects/{project}/rules."""
    project = await call.project()
    found = await call.parts.clients.projects.GetRules(projects_pb2.GetRulesRequest(project_id=project.id))
    return body.private(body.answer(present.rules(found)))


async def change(call: Call) -> web.Response:
    """PUT /v1/projects/{project}/rules: replaces all; what is live gets them at once, unless `deploy` is false.

    Nothing is built. Passwords may be sent in clear; they are stored and shown as hashes.
    """
    project = await call.project()
    wanted = await body.read(call.request, SetRules)
    request = projects_pb2.SetRulesRequest(
        project_id=project.id, rules=json.dumps(wanted.rules), deploy=wanted.deploy, actor_id=call.account.id
    )
    return body.private(body.answer(present.rules(await call.parts.clients.projects.SetRules(request))))
