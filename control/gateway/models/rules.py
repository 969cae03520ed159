"""Rules of routes: what the owner says of them."""

from __future__ import annotations

from typing import Annotated, TypedDict

import orjson
from pydantic import Field

from control.gateway.models.base import Body, Json
from proto.projects.v1 import projects_pb2


class SetRules(Body):
    """New rules in place of all that were there; passwords may be in clear, and are kept as hashes.

    Attributes:
        rules: the shapes of ARCHITECTURE.md, "Rules", checked by the projects service.
        deploy: whether what is live gets them at once, without a build.
        expect_version: of the project; when it has another one by now, nothing is changed. 0 does not look.
    """

    rules: Json
    deploy: bool = True
    expect_version: Annotated[int, Field(ge=0, lt=2**63)] = 0


class RulesShape(TypedDict):
    """What the owner of a project says of its routes.

    Attributes:
        rules: the shapes of ARCHITECTURE.md, "Rules"; passwords are hashes.
        deployment_id: dep_… that brings a change live; null when there is none.
        version: of the project.
    """

    rules: Json
    deployment_id: str | None
    version: int


def rules(message: projects_pb2.Rules) -> RulesShape:
    """Rules as the API shows them."""
    made = message.deployment_id or None
    return {"rules": orjson.loads(message.rules), "deployment_id": made, "version": message.version}
