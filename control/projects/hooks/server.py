"""The gRPC face of hooks (proto/projects/v1/hooks.proto): who may, and messages to calls of the domain and back."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

import orjson

from control.projects.catalog.service import Catalog
from control.projects.hooks.deliveries import Deliveries, Delivery
from control.projects.hooks.hook import Hook, Owner
from control.projects.hooks.service import Hooks, Wanted
from kernel.authority import TEAM_NOT_FOUND, Permission, Resource, require
from kernel.times import ms_of
from proto.projects.v1 import hooks_pb2 as pb
from proto.projects.v1.hooks_pb2_grpc import HooksServicer


class HooksServer(HooksServicer):
    """Answers the calls of hooks.proto."""

    def __init__(self, catalog: Catalog, hooks: Hooks, deliveries: Deliveries) -> None:
        self._catalog, self._hooks, self._deliveries = catalog, hooks, deliveries

    async def CreateHook(self, request: pb.CreateHookRequest, context: Any) -> pb.Hook:
        """With its secret, this once."""
        owner = await self._reach(request.owner)
        wanted = Wanted(request.name, request.target, tuple(request.events), tuple(request.environments))
        return _hook(await self._hooks.create(owner, request.kind, wanted))

    async def ListHooks(self, request: pb.HookOwner, context: Any) -> pb.ListHooksResponse:
        """The oldest first."""
        return pb.ListHooksResponse(hooks=[_hook(one) for one in await self._hooks.of(await self._reach(request))])

    async def GetHook(self, request: pb.HookRef, context: Any) -> pb.Hook:
        """One hook."""
        return _hook(await self._get(request))

    async def UpdateHook(self, request: pb.UpdateHookRequest, context: Any) -> pb.Hook:
        """What is set in the request."""
        wanted = Wanted(
            request.name if request.HasField("name") else None,
            request.target if request.HasField("target") else None,
            tuple(request.events.values) if request.HasField("events") else None,
            tuple(request.environments.values) if request.HasField("environments") else None,
            request.active if request.HasField("active") else None,
        )
        owner = await self._reach(request.hook.owner)
        return _hook(await self._hooks.update(owner, request.hook.hook_id, wanted))

    async def DeleteHook(self, request: pb.HookRef, context: Any) -> pb.DeleteHookResponse:
        """With its log."""
        await self._hooks.delete(await self._reach(request.owner), request.hook_id)
        return pb.DeleteHookResponse()

    async def RotateHookSecret(self, request: pb.HookRef, context: Any) -> pb.Hook:
        """With the new secret, this once."""
        return _hook(await self._hooks.rotate(await self._reach(request.owner), request.hook_id))

    async def PingHook(self, request: pb.HookRef, context: Any) -> pb.HookDelivery:
        """A test."""
        return _delivery(await self._deliveries.ping(await self._get(request)))

    async def ListDeliveries(
        self, request: pb.ListHookDeliveriesRequest, context: Any
    ) -> pb.ListHookDeliveriesResponse:
        """Newest first."""
        found = await self._deliveries.recent(await self._get(request.hook), request.limit, request.before)
        return pb.ListHookDeliveriesResponse(deliveries=[_delivery(one) for one in found])

    async def GetDelivery(self, request: pb.HookDeliveryRef, context: Any) -> pb.HookDelivery:
        """With what was said and every attempt."""
        one = await self._deliveries.get(await self._get(request.hook), request.delivery_id)
        return _delivery(one, whole=True)

    async def Redeliver(self, request: pb.HookDeliveryRef, context: Any) -> pb.HookDelivery:
        """The same message, once more."""
        return _delivery(await self._deliveries.redeliver(await self._get(request.hook), request.delivery_id))

    async def _get(self, ref: pb.HookRef) -> Hook:
        return await self._hooks.get(await self._reach(ref.owner), ref.hook_id)

    async def _reach(self, owner: pb.HookOwner) -> Owner:
        """Whose hooks are meant, if the caller may: URLs are as good as passwords, so reading them is no less.

        Raises:
            ShipoffError: PERMISSION_DENIED; PROJECT_NOT_FOUND or TEAM_NOT_FOUND for those who may not know of it.
        """
        if not owner.project_id:
            hidden = TEAM_NOT_FOUND(f"there is no team {owner.team_id[:80]!r}")
            require(Permission.TEAM_UPDATE, Resource(owner.team_id), hidden=hidden)
            return Owner(owner.team_id)
        project = await self._catalog.reach(owner.project_id, Permission.PROJECT_UPDATE)
        return Owner(project.team_id, project.id)


def _hook(hook: Hook) -> pb.Hook:
    return pb.Hook(
        id=hook.id,
        team_id=hook.owner.team_id,
        project_id=hook.owner.project_id,
        name=hook.name,
        kind=hook.kind,
        target=hook.target,
        events=hook.events,
        environments=hook.environments,
        active=hook.active,
        disabled_reason=hook.disabled_reason,
        failing_since_ms=ms_of(hook.failing_since),
        dropped=hook.dropped,
        created_at_ms=ms_of(hook.created_at),
        updated_at_ms=ms_of(hook.updated_at),
        secret=hook.fresh,
        old_secret_until_ms=ms_of(hook.old_until) if len(hook.secrets) > 1 else 0,
    )


def _delivery(one: Delivery, *, whole: bool = False) -> pb.HookDelivery:
    return pb.HookDelivery(
        id=one.id,
        hook_id=one.hook_id,
        message_id=one.message_id,
        type=one.type,
        state=one.state,
        attempts=one.attempts,
        created_at_ms=ms_of(one.created_at),
        next_at_ms=ms_of(one.next_at) if one.state == "pending" else 0,
        finished_at_ms=ms_of(one.finished_at),
        payload=orjson.dumps(one.data).decode() if whole else "",
        log=[
            pb.HookAttempt(
                number=attempt.number,
                at_ms=ms_of(attempt.at),
                request_headers=attempt.request_headers,
                status=attempt.status,
                response_headers=attempt.response_headers,
                response_body=attempt.response_body,
                error=attempt.error,
                duration_ms=attempt.duration_ms,
            )
            for attempt in one.log
        ],
    )
