"""Environments: production, and a preview per branch."""

from __future__ import annotations

from typing_extensions import TypedDict  # which knows its bases, so that their fields' descriptions are found

from control.gateway.models.base import time_or_none
from control.gateway.models.env import EnvVarShape, variables
from proto.projects.v1 import environments_pb2


class EnvironmentShape(TypedDict):
    """An environment.

    Attributes:
        name: `production`, or `preview/BRANCH`.
        branch: that it follows.
        live_deployment_id: dep_… that serves there; null when none does.
        url: where it serves; null when nothing does.
        deployed_at: when its last deployment was asked for, RFC 3339; null when there was none.
        expires_at: when a preview goes if nothing is deployed to it, RFC 3339; null for production.
    """

    name: str
    branch: str
    live_deployment_id: str | None
    url: str | None
    deployed_at: str | None
    expires_at: str | None


class EnvironmentDetailShape(EnvironmentShape):
    """An environment with what its builds and processes get.

    Attributes:
        env: of each name the value that counts there, twice where builds and processes get different ones; null for
            those who may not read variables.
    """

    env: list[EnvVarShape] | None


class EnvironmentList(TypedDict):
    """A project's environments.

    Attributes:
        environments: production first, then previews by name.
    """

    environments: list[EnvironmentShape]


def environment(message: environments_pb2.Environment) -> EnvironmentShape:
    """An environment as the API shows it."""
    return {
        "name": message.name,
        "branch": message.branch,
        "live_deployment_id": message.live_deployment_id or None,
        "url": message.url or None,
        "deployed_at": time_or_none(message.deployed_at_ms),
        "expires_at": time_or_none(message.expires_at_ms),
    }


def detail(message: environments_pb2.Environment) -> EnvironmentDetailShape:
    """An environment with its variables."""
    return {**environment(message), "env": variables(message.vars) if message.vars_readable else None}
