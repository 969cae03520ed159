"""Instances: running copies of releases."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.base import time_of
from proto.orchestrator.v1 import orchestrator_pb2


class InstanceShape(TypedDict):
    """A running (or lately ended) copy of a release. Its address is the platform's own affair.

    Attributes:
        id: ins_….
        release_id: rel_….
        state: `starting`, `ready`, `draining`, `stopped` or `crashed`.
        exit_status: how it ended, negative for a signal.
        started_at: RFC 3339.
    """

    id: str
    release_id: str
    state: str
    exit_status: int
    started_at: str


class InstanceList(TypedDict):
    """A project's instances.

    Attributes:
        instances: all of them.
    """

    instances: list[InstanceShape]


def instance(message: orchestrator_pb2.Instance) -> InstanceShape:
    """An instance as the API shows it."""
    return {
        "id": message.id,
        "release_id": message.release_id,
        "state": message.state,
        "exit_status": message.exit_status,
        "started_at": time_of(message.started_at_ms),
    }
