"""Hooks, and what became of what they were told."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import orjson
from pydantic import Field

from control.gateway.models.base import Body, Json, Short, time_of, time_or_none
from proto.projects.v1 import hooks_pb2

Url = Annotated[str, Field(max_length=2048)]
Filter = Annotated[list[Short], Field(max_length=64)]


class CreateHook(Body):
    """A new hook.

    Attributes:
        kind: `webhook` (JSON, signed per Standard Webhooks), `slack` (an incoming webhook), or `email`.
        target: a URL (https), or a member's address.
        name: for people.
        events: that it hears, such as `deployment.failed`; empty: all.
        environments: `production`, `preview` or `preview/BRANCH`; empty: all.
    """

    kind: Literal["webhook", "slack", "email"]
    target: Url
    name: Short = ""
    events: Filter = Field(default_factory=list)
    environments: Filter = Field(default_factory=list)


class UpdateHook(Body):
    """A change of a hook; what is left out stays.

    Attributes:
        name: for people.
        target: a URL (https), or a member's address.
        events: that it hears; empty: all.
        environments: that it hears of; empty: all.
        active: false switches it off, and forgets what waits; true switches it on, whoever switched it off.
    """

    name: Short | None = None
    target: Url | None = None
    events: Filter | None = None
    environments: Filter | None = None
    active: bool | None = None


class HookShape(TypedDict):
    """A hook.

    Attributes:
        id: hok_….
        project_id: prj_…; null for a hook of a whole team.
        name: for people.
        kind: `webhook`, `slack` or `email`.
        target: URL or address.
        events: that it hears; empty: all.
        environments: that it hears of; empty: all.
        active: whether it is told.
        disabled_reason: why the platform switched it off; null when it did not.
        failing_since: of the first failure since the last success, RFC 3339; null when it works.
        dropped: events that were not told because too many waited.
        secret: `whsec_…` that signs; only where it is new, else null.
        old_secret_until: until when the secret before signs too, RFC 3339; null when there is none.
        created_at: RFC 3339.
        updated_at: RFC 3339.
    """

    id: str
    project_id: str | None
    name: str
    kind: str
    target: str
    events: list[str]
    environments: list[str]
    active: bool
    disabled_reason: str | None
    failing_since: str | None
    dropped: int
    secret: str | None
    old_secret_until: str | None
    created_at: str
    updated_at: str


class HookList(TypedDict):
    """Hooks.

    Attributes:
        hooks: the oldest first.
    """

    hooks: list[HookShape]


class DeliveryShape(TypedDict):
    """A message to a hook.

    Attributes:
        id: dlv_….
        message_id: the receiver's `webhook-id`; a redelivery keeps it.
        type: such as `deployment.live`.
        state: `pending`, `delivered` or `failed`.
        attempts: made so far.
        created_at: RFC 3339.
        next_at: of the next attempt, RFC 3339; null when there is none.
        finished_at: RFC 3339; null while it is pending.
    """

    id: str
    message_id: str
    type: str
    state: str
    attempts: int
    created_at: str
    next_at: str | None
    finished_at: str | None


class AttemptShape(TypedDict):
    """One attempt to deliver.

    Attributes:
        number: 1 is the first.
        at: RFC 3339.
        request_headers: as they were sent.
        status: of the answer; null when there was none.
        response_headers: of the answer.
        response_body: its first 8 KiB.
        error: why it failed; null when it did not.
        duration_ms: how long it took.
    """

    number: int
    at: str
    request_headers: dict[str, str]
    status: int | None
    response_headers: dict[str, str]
    response_body: str
    error: str | None
    duration_ms: int


class DeliveryDetailShape(TypedDict):
    """A message to a hook, with all that is known of it.

    Attributes:
        delivery: as in the list.
        data: that was told.
        log: every attempt.
    """

    delivery: DeliveryShape
    data: Json
    log: list[AttemptShape]


class DeliveryList(TypedDict):
    """Messages to a hook.

    Attributes:
        deliveries: newest first.
        next_cursor: of the next page; null on the last.
    """

    deliveries: list[DeliveryShape]
    next_cursor: str | None


def hook(message: hooks_pb2.Hook) -> HookShape:
    """A hook as the API shows it."""
    return {
        "id": message.id,
        "project_id": message.project_id or None,
        "name": message.name,
        "kind": message.kind,
        "target": message.target,
        "events": list(message.events),
        "environments": list(message.environments),
        "active": message.active,
        "disabled_reason": message.disabled_reason or None,
        "failing_since": time_or_none(message.failing_since_ms),
        "dropped": message.dropped,
        "secret": message.secret or None,
        "old_secret_until": time_or_none(message.old_secret_until_ms),
        "created_at": time_of(message.created_at_ms),
        "updated_at": time_of(message.updated_at_ms),
    }


def delivery(message: hooks_pb2.HookDelivery) -> DeliveryShape:
    """A delivery as the API lists it."""
    return {
        "id": message.id,
        "message_id": message.message_id,
        "type": message.type,
        "state": message.state,
        "attempts": message.attempts,
        "created_at": time_of(message.created_at_ms),
        "next_at": time_or_none(message.next_at_ms),
        "finished_at": time_or_none(message.finished_at_ms),
    }


def detail(message: hooks_pb2.HookDelivery) -> DeliveryDetailShape:
    """A delivery with its payload and attempts."""
    return {
        "delivery": delivery(message),
        "data": orjson.loads(message.payload),
        "log": [
            {
                "number": one.number,
                "at": time_of(one.at_ms),
                "request_headers": dict(one.request_headers),
                "status": one.status or None,
                "response_headers": dict(one.response_headers),
                "response_body": one.response_body,
                "error": one.error or None,
                "duration_ms": one.duration_ms,
            }
            for one in message.log
        ],
    }
