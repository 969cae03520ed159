"""Teams: what makes one, and how it is shown."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.base import Body, Short, time_of
from proto.auth.v1 import teams_pb2


class CreateTeam(Body):
    """A new team.

    Attributes:
        name: for people.
        slug: for addresses: 2 to 40 lower-case letters, digits and single hyphens; unique on the platform.
    """

    name: Short
    slug: Short


class UpdateTeam(Body):
    """A change of a team: what is absent or null stays.

    Attributes:
        name: for people.
        slug: for addresses.
    """

    name: Short | None = None
    slug: Short | None = None


class TransferTeam(Body):
    """To whom a team goes.

    Attributes:
        account: acc_… of a member.
    """

    account: Short


class TeamShape(TypedDict):
    """A team.

    Attributes:
        id: tem_….
        name: for people.
        slug: for addresses.
        personal: whether it belongs to one account alone and goes with it.
        role: yours in it; null when you have none.
        created_at: RFC 3339.
    """

    id: str
    name: str
    slug: str
    personal: bool
    role: str | None
    created_at: str


class TeamList(TypedDict):
    """Teams.

    Attributes:
        teams: those that you belong to, by name.
    """

    teams: list[TeamShape]


def team(message: teams_pb2.Team) -> TeamShape:
    """A team as the API shows it."""
    return {
        "id": message.id,
        "name": message.name,
        "slug": message.slug,
        "personal": message.personal,
        "role": message.role or None,
        "created_at": time_of(message.created_at_ms),
    }
