"""Who is told of what happens to all projects of a team, and to the team itself."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import hooks as models
from control.gateway.models.base import Page
from control.gateway.views import hooks


async def index(call: Call) -> models.HookList:
    """GET /v1/teams/{team}/hooks: the team's own hooks, the oldest first; those of its projects are not among them."""
    return await hooks.index(call)


async def create(call: Call, body: models.CreateHook) -> models.HookShape:
    """POST /v1/teams/{team}/hooks: a new hook for all projects; the secret of a webhook is shown this once."""
    return await hooks.create(call, body)


async def show(call: Call) -> models.HookShape:
    """GET /v1/teams/{team}/hooks/{hook}: a hook, without its secret."""
    return await hooks.show(call)


async def update(call: Call, body: models.UpdateHook) -> models.HookShape:
    """PATCH /v1/teams/{team}/hooks/{hook}: changes what is named."""
    return await hooks.update(call, body)


async def delete(call: Call) -> None:
    """DELETE /v1/teams/{team}/hooks/{hook}: deletes a hook with its log."""
    await hooks.delete(call)


async def rotate(call: Call) -> models.HookShape:
    """POST /v1/teams/{team}/hooks/{hook}/rotate: a new secret, shown this once; the one before signs for a day more."""
    return await hooks.rotate(call)


async def ping(call: Call) -> models.DeliveryShape:
    """POST /v1/teams/{team}/hooks/{hook}/ping: a test, delivered as everything else is."""
    return await hooks.ping(call)


async def deliveries(call: Call, query: Page) -> models.DeliveryList:
    """GET /v1/teams/{team}/hooks/{hook}/deliveries: what it was told, newest first."""
    return await hooks.deliveries(call, query)


async def delivery(call: Call) -> models.DeliveryDetailShape:
    """GET /v1/teams/{team}/hooks/{hook}/deliveries/{delivery}: what was said, and each attempt."""
    return await hooks.delivery(call)


async def redeliver(call: Call) -> models.DeliveryShape:
    """POST /v1/teams/{team}/hooks/{hook}/deliveries/{delivery}/redeliver: the same message, once more."""
    return await hooks.redeliver(call)
