"""What people call teams and members, as the API wants it."""

from __future__ import annotations

from typing import Any

from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure


def team(api: Api, named: str) -> dict[str, Any]:
    """One of your teams.

    Args:
        named: id or slug; "" is your personal team.

    Raises:
        Failure: TEAM_NOT_FOUND.
    """
    wanted = named or api.get("me")["personal_team_id"]  # others' personal teams may be among those that one belongs to
    for one in api.get("teams")["teams"]:
        if wanted in (one["id"], one["slug"]):
            return dict(one)
    what = f"you are in no team {named!r}" if named else "this token has no personal team"
    raise Failure("TEAM_NOT_FOUND", what, "see your teams: shipoff teams list", Exit.NOT_FOUND)


def team_id(api: Api, named: str) -> str:
    """The id of a team.

    Args:
        named: an id, which is taken as it is; else as for `team`.

    Raises:
        Failure: TEAM_NOT_FOUND.
    """
    return named if named.startswith("tem_") else str(team(api, named)["id"])


def account(api: Api, where: tuple[str, ...], named: str) -> str:
    """The id of somebody among the members.

    Args:
        where: of the API: ("teams", id) or ("projects", name).
        named: id, or e-mail address.

    Raises:
        Failure: MEMBER_NOT_FOUND.
    """
    if "@" not in named:
        return named
    for one in api.get(*where, "members")["members"]:
        if one["email"].lower() == named.lower():
            return str(one["account_id"])
    raise Failure("MEMBER_NOT_FOUND", f"{named} is no member", "see who is: shipoff members list", Exit.NOT_FOUND)
