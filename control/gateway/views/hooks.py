"""Who is told of what happens to a project. A whole team's hooks (team_hooks.py) answer by the same functions."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import hooks as models
from control.gateway.models.base import Page, next_cursor
from proto.projects.v1 import hooks_pb2


async def index(call: Call) -> models.HookList:
    """GET /v1/projects/{project}/hooks: its hooks, the oldest first."""
    found = await call.clients.hooks.ListHooks(_owner(call))
    return {"hooks": [models.hook(one) for one in found.hooks]}


async def create(call: Call, body: models.CreateHook) -> models.HookShape:
    """POST /v1/projects/{project}/hooks: a new hook; the secret of a webhook is shown this once."""
    request = hooks_pb2.CreateHookRequest(owner=_owner(call), **body.model_dump())
    return models.hook(await call.clients.hooks.CreateHook(request))


async def show(call: Call) -> models.HookShape:
    """GET /v1/projects/{project}/hooks/{hook}: a hook, without its secret."""
    return models.hook(await call.clients.hooks.GetHook(_hook(call)))


async def update(call: Call, body: models.UpdateHook) -> models.HookShape:
    """PATCH /v1/projects/{project}/hooks/{hook}: changes what is named."""
    request = hooks_pb2.UpdateHookRequest(hook=_hook(call), name=body.name, target=body.target, active=body.active)
    for field in ("events", "environments"):
        if (values := getattr(body, field)) is not None:
            getattr(request, field).CopyFrom(hooks_pb2.HookFilter(values=values))
    return models.hook(await call.clients.hooks.UpdateHook(request))


async def delete(call: Call) -> None:
    """DELETE /v1/projects/{project}/hooks/{hook}: deletes a hook with its log."""
    await call.clients.hooks.DeleteHook(_hook(call))


async def rotate(call: Call) -> models.HookShape:
    """POST /v1/projects/{project}/hooks/{hook}/rotate: a new secret, shown this once.

    The one before signs beside it for a day, so a receiver can change over without losing anything.
    """
    return models.hook(await call.clients.hooks.RotateHookSecret(_hook(call)))


async def ping(call: Call) -> models.DeliveryShape:
    """POST /v1/projects/{project}/hooks/{hook}/ping: a test, delivered as everything else is."""
    return models.delivery(await call.clients.hooks.PingHook(_hook(call)))


async def deliveries(call: Call, query: Page) -> models.DeliveryList:
    """GET /v1/projects/{project}/hooks/{hook}/deliveries: what it was told, newest first."""
    request = hooks_pb2.ListHookDeliveriesRequest(hook=_hook(call), limit=query.limit, before=query.cursor)
    found = (await call.clients.hooks.ListDeliveries(request)).deliveries
    return {
        "deliveries": [models.delivery(one) for one in found],
        "next_cursor": next_cursor(found, query.limit, lambda last: last.id),
    }


async def delivery(call: Call) -> models.DeliveryDetailShape:
    """GET /v1/projects/{project}/hooks/{hook}/deliveries/{delivery}: what was said, and each attempt."""
    return models.detail(await call.clients.hooks.GetDelivery(_delivery(call)))


async def redeliver(call: Call) -> models.DeliveryShape:
    """POST /v1/projects/{project}/hooks/{hook}/deliveries/{delivery}/redeliver: the same message, once more."""
    return models.delivery(await call.clients.hooks.Redeliver(_delivery(call)))


def _owner(call: Call) -> hooks_pb2.HookOwner:
    if call.found.id:
        return hooks_pb2.HookOwner(project_id=call.found.id)
    return hooks_pb2.HookOwner(team_id=call.team)


def _hook(call: Call) -> hooks_pb2.HookRef:
    return hooks_pb2.HookRef(owner=_owner(call), hook_id=call.named("hook"))


def _delivery(call: Call) -> hooks_pb2.HookDeliveryRef:
    return hooks_pb2.HookDeliveryRef(hook=_hook(call), delivery_id=call.named("delivery"))
