"""Rules of routes: what the owner says of them."""

from __future__ import annotations

from typing import TypedDict

import orjson

from control.gateway.models.base import Body, Json
from proto.projects.v1 import projects_pb2


class SetRules(Body):
    """New rules in place of all that were there; passwords may be in clear, and are kept as hashes.

    Attributes:
        rules: the shapes of ARCHITECTURE.md, "Rules", checked by the projects service.
        deploy: whether what is live gets them at once, without a build.
    """

    rules: Json
    deploy: bool = True


class RulesShape(TypedDict):
    """What the owner of a project says of its routes.

    Attributes:
        rules: the shapes of ARCHITECTURE.md, "Rules"; passwords are hashes.
        deployment_id: dep_… that brings a change live; null when there is none.
    """

    rules: Json
    deployment_id: str | None


def rules(message: projects_pb2.Rules) -> RulesShape:
    """Rules as the API shows them."""
    return {"rules": orjson.loads(message.rules), "deployment_id": message.deployment_id or None}
