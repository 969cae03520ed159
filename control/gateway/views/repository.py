"""The repository that a project is built from."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import received
from control.gateway.models import repository as models
from control.gateway.models.base import Page, next_cursor
from proto.projects.v1 import repositories_pb2 as pb


async def show(call: Call) -> models.RepositoryShape:
    """GET /v1/projects/{project}/repository: shows the project's link, without its secrets."""
    found = await call.clients.repositories.GetLink(pb.LinkRequest(project_id=call.found.id))
    return models.repository(found, call.parts.settings.public_url)


async def link(call: Call, body: models.LinkRepository) -> models.LinkedShape:
    """PUT /v1/projects/{project}/repository: links the project to a repository, in place of the one that it has.

    The answer holds the secret for the host's webhook, which is not shown again.
    """
    made = await call.clients.repositories.PutLink(body.message(call.found.id), timeout=40.0)  # GitHub is asked
    return {
        "link": models.repository(made.link, call.parts.settings.public_url),
        "webhook_secret": made.secret or None,
    }


async def update(call: Call, body: models.ChangeRepository) -> models.RepositoryShape:
    """PATCH /v1/projects/{project}/repository: changes what the body names of the link."""
    found = await call.clients.repositories.UpdateLink(body.message(call.found.id))
    return models.repository(found, call.parts.settings.public_url)


async def unlink(call: Call) -> None:
    """DELETE /v1/projects/{project}/repository: unlinks the project; what was deployed serves on."""
    await call.clients.repositories.DeleteLink(pb.LinkRequest(project_id=call.found.id))


async def deliveries(call: Call, query: Page) -> received.ReceivedList:
    """GET /v1/projects/{project}/repository/deliveries: lists the webhooks that came, with what they did."""
    request = pb.ListDeliveriesRequest(project_id=call.found.id, limit=query.limit, before=query.cursor)
    found = (await call.clients.repositories.ListDeliveries(request)).deliveries
    return {
        "deliveries": [received.delivery(one) for one in found],
        "next_cursor": next_cursor(found, query.limit, lambda last: last.id),
    }


async def redeliver(call: Call) -> received.ReceivedShape:
    """POST /v1/projects/{project}/repository/deliveries/{delivery}/redeliver: has it done again, for this project."""
    request = pb.RedeliverRequest(project_id=call.found.id, delivery_id=call.named("delivery"))
    return received.delivery(await call.clients.repositories.Redeliver(request))
