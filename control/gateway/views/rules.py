"""What the owner of a project says of its routes."""

from __future__ import annotations

import json

from control.gateway.call import Call
from control.gateway.models import rules as models
from proto.projects.v1 import projects_pb2


async def show(call: Call) -> models.RulesShape:
    """GET /v1/projects/{project}/rules: shows the rules of a project's routes."""
    found = await call.clients.projects.GetRules(projects_pb2.GetRulesRequest(project_id=call.found.id))
    return models.rules(found)


async def change(call: Call, body: models.SetRules) -> models.RulesShape:
    """PUT /v1/projects/{project}/rules: replaces the rules of a project's routes.

    What is live gets them at once, unless `deploy` is false; nothing is built. Passwords may be sent in clear; they are
    stored and shown as hashes.
    """
    request = projects_pb2.SetRulesRequest(
        project_id=call.found.id,
        rules=json.dumps(body.rules),
        deploy=body.deploy,
        actor_id=call.who.actor_id,
        expect_version=body.expect_version,
    )
    return models.rules(await call.clients.projects.SetRules(request))
