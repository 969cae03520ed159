"""What a route asks of whoever calls it: a permission by the platform's matrix, an account, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from kernel.authority import TEAM_NOT_FOUND, Permission, Principal, Resource, require
from proto.projects.v1 import projects_pb2


class Door(Enum):
    """Routes that ask for no permission on anything.

    Attributes:
        PUBLIC: nobody need be signed in.
        ACCOUNT: anybody may, who is signed in.
    """

    PUBLIC = "public"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class OnTeam:
    """A permission on a team: the path's `{team}`, else the body's `team`, else one's own team.

    Attributes:
        permission: that is needed there.
    """

    permission: Permission


# A bare permission is one on the path's project.
Needs = Permission | OnTeam | Door
PUBLIC: Final = Door.PUBLIC
ACCOUNT: Final = Door.ACCOUNT


def of_project(project: projects_pb2.Project) -> Resource:
    """A project as the matrix knows it."""
    return Resource(project.team_id, project.id)


def personal_team(who: Principal) -> str:
    """The team that an account has for itself alone; "" for a project's own token, which has no account."""
    return f"tem_{who.account_id[4:]}" if who.account_id else ""


def require_on_team(permission: Permission, team_id: str) -> None:
    """Refuses unless the sender may do something in a team.

    Raises:
        ShipoffError: TEAM_NOT_FOUND for those who may not even read it, so that they don't learn that it exists;
            PERMISSION_DENIED with the rule that refused.
    """
    require(permission, Resource(team_id), hidden=TEAM_NOT_FOUND("there is no such team"))
