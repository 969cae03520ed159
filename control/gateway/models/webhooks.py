"""Webhooks that came in."""

from __future__ import annotations

from typing import TypedDict

from proto.projects.v1.webhooks_pb2 import Accepted


class TakenShape(TypedDict):
    """What became of a delivery at the door.

    Attributes:
        status: `queued`, `duplicate` or `ignored`.
        delivery_id: dlv_…, when it was queued.
        reason: why it is ignored.
    """

    status: str
    delivery_id: str | None
    reason: str | None


def taken(message: Accepted) -> TakenShape:
    """The answer to a delivery."""
    return {
        "status": message.status,
        "delivery_id": message.delivery_id or None,
        "reason": message.reason or None,
    }
