"""Preview environments."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.base import time_of
from proto.projects.v1 import projects_pb2


class PreviewShape(TypedDict):
    """A preview environment.

    Attributes:
        environment: `preview/…`.
        created_at: RFC 3339.
        deployed_at: when it was deployed to last, RFC 3339.
        expires_at: when it goes if nothing is deployed to it, RFC 3339.
    """

    environment: str
    created_at: str
    deployed_at: str
    expires_at: str


class PreviewList(TypedDict):
    """A project's previews.

    Attributes:
        previews: all of them.
    """

    previews: list[PreviewShape]


def preview(message: projects_pb2.Preview) -> PreviewShape:
    """A preview as the API shows it."""
    return {
        "environment": message.environment,
        "created_at": time_of(message.created_at_ms),
        "deployed_at": time_of(message.deployed_at_ms),
        "expires_at": time_of(message.expires_at_ms),
    }
