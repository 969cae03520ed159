"""What somebody may do, and why."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.base import Query, Short
from kernel.authority import Permission, Principal, Resource, decide


class PermissionsQuery(Query):
    """On what.

    Attributes:
        project: id or name; what you may do there.
        team: tem_…; what you may do in the team as a whole. Without both: in your personal team.
    """

    project: Short = ""
    team: Short = ""


class PermissionShape(TypedDict):
    """A permission and the decision on it.

    Attributes:
        permission: such as `DEPLOYMENT:CREATE`.
        allowed: whether you may.
        rule: why, in words.
    """

    permission: str
    allowed: bool
    rule: str


class PermissionList(TypedDict):
    """What you may do.

    Attributes:
        team_id: tem_… that it is about.
        project_id: prj_… that it is about; null for the team as a whole.
        permissions: all that there are.
    """

    team_id: str
    project_id: str | None
    permissions: list[PermissionShape]


def permissions(who: Principal, on: Resource) -> PermissionList:
    """Each permission, decided as every service would."""
    decisions = {permission: decide(who, permission, on) for permission in Permission}
    return {
        "team_id": on.team_id,
        "project_id": on.project_id or None,
        "permissions": [
            {"permission": permission, "allowed": decision.allowed, "rule": decision.rule}
            for permission, decision in decisions.items()
        ],
    }
