"""Env vars: what changes them, and how they are shown."""

from __future__ import annotations

from typing import Literal, TypedDict

from pydantic import Field

from control.gateway.models.base import Body, time_of
from proto.projects.v1 import projects_pb2


class ChangeEnv(Body):
    """A change of variables: all of it or, when one variable is refused, none.

    Attributes:
        set: name to value.
        unset: names to remove; those that are not there are no error.
        deploy: whether what is live gets it at once, without a build.
        scope: gives those that are set to builds or to what runs only; empty leaves it, and is `all` for new ones.
    """

    set: dict[str, str] = Field(default_factory=dict)
    unset: list[str] = Field(default_factory=list, max_length=1000)
    deploy: bool = True
    scope: Literal["", "all", "build", "run"] = ""


class EnvVarShape(TypedDict):
    """A variable, in clear: whoever may set it may read it.

    Attributes:
        name: of the variable.
        value: in clear.
        scope: who gets it: `build`, `run`, or `all`.
        updated_at: RFC 3339.
    """

    name: str
    value: str
    scope: str
    updated_at: str


class EnvShape(TypedDict):
    """A project's variables.

    Attributes:
        env: sorted by name.
        deployment_id: dep_… that brings a change live; null when there is none.
    """

    env: list[EnvVarShape]
    deployment_id: str | None


def env(message: projects_pb2.ListEnvResponse) -> EnvShape:
    """Variables as the API shows them."""
    return {
        "env": [
            {"name": one.name, "value": one.value, "scope": one.scope, "updated_at": time_of(one.updated_at_ms)}
            for one in message.vars
        ],
        "deployment_id": message.deployment_id or None,
    }
