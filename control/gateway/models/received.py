"""What git hosts told of a project's repository, and what came of it."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.base import time_of, time_or_none
from proto.projects.v1 import repositories_pb2 as pb


class OutcomeShape(TypedDict):
    """What a delivery did in the project.

    Attributes:
        action: `deployed`, `ended`, `skipped`, `refused` or `noted`.
        environment: which; null where none is concerned.
        deployment_id: dep_…, when there is one.
        reason: of what was skipped or refused.
        code: of the error that refused it.
    """

    action: str
    environment: str | None
    deployment_id: str | None
    reason: str | None
    code: str | None


class ReceivedShape(TypedDict):
    """A webhook that came.

    Attributes:
        id: dlv_…
        event: as the host calls it.
        delivery: the host's own id of it.
        state: `queued`, `running`, `done`, or `dead` after too many failures.
        attempts: how often it was worked on.
        error: of the last attempt that failed.
        bytes: of its body.
        received_at: RFC 3339.
        finished_at: RFC 3339; null while it is not over.
        outcomes: what it did in this project.
    """

    id: str
    event: str
    delivery: str
    state: str
    attempts: int
    error: str | None
    bytes: int
    received_at: str
    finished_at: str | None
    outcomes: list[OutcomeShape]


class ReceivedList(TypedDict):
    """What came, newest first.

    Attributes:
        deliveries: a page of them.
        next_cursor: the `cursor` of the next page; null on the last.
    """

    deliveries: list[ReceivedShape]
    next_cursor: str | None


def delivery(message: pb.Delivery) -> ReceivedShape:
    """A delivery as the API shows it."""
    return {
        "id": message.id,
        "event": message.event,
        "delivery": message.delivery,
        "state": message.state,
        "attempts": message.attempts,
        "error": message.error or None,
        "bytes": message.bytes,
        "received_at": time_of(message.received_at_ms),
        "finished_at": time_or_none(message.done_at_ms),
        "outcomes": [
            {
                "action": one.action,
                "environment": one.environment or None,
                "deployment_id": one.deployment_id or None,
                "reason": one.reason or None,
                "code": one.code or None,
            }
            for one in message.outcomes
        ],
    }
