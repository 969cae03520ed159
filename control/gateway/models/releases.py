"""Releases: what can be brought back."""

from __future__ import annotations

from typing import TypedDict

import orjson

from control.gateway.models.base import Json, Query, Short, time_of
from proto.orchestrator.v1 import orchestrator_pb2


class ReleaseQuery(Query):
    """Which releases.

    Attributes:
        environment: only those of this one; empty is all.
    """

    environment: Short = ""


class ReleaseShape(TypedDict):
    """A release that can be brought back.

    Attributes:
        id: rel_….
        deployment_id: dep_… that made it.
        environment: that it was made for.
        kind: `static` or `dynamic`.
        live: whether it serves now.
        warm: whether its instances are up, so that going back to it is one flip.
        plan: how it was built and is run.
        created_at: RFC 3339.
    """

    id: str
    deployment_id: str
    environment: str
    kind: str
    live: bool
    warm: bool
    plan: Json
    created_at: str


class ReleaseList(TypedDict):
    """Releases that have served and are kept, newest first.

    Attributes:
        releases: all of them.
    """

    releases: list[ReleaseShape]


def release(message: orchestrator_pb2.Release) -> ReleaseShape:
    """A release as the API shows it."""
    return {
        "id": message.id,
        "deployment_id": message.deployment_id,
        "environment": message.environment,
        "kind": message.kind,
        "live": message.live,
        "warm": message.warm,
        "plan": orjson.loads(message.plan or b"{}"),
        "created_at": time_of(message.created_at_ms),
    }
