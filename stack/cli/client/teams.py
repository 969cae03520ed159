"""`shipoff teams`: teams, which own projects and have members."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stack.cli.client import named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json

Team = Annotated[str, typer.Argument(help="Its slug or id (tem_…).")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds the commands below `teams`."""
    app.command("list")(list_teams)
    app.command("create")(create_team)
    app.command("update")(update_team)
    app.command("delete")(delete_team)
    app.command("transfer")(transfer_team)
    app.command("leave")(leave_team)


@reported
def list_teams(as_json: Json = False) -> None:
    """Lists the teams that you belong to."""
    found = Api().get("teams")
    if as_json:
        show.as_json(found)
        return
    rows = [[one["slug"], one["name"], one["role"], _kind(one), one["id"]] for one in found["teams"]]
    show.table(["TEAM", "NAME", "YOUR ROLE", "", "ID"], rows, "no teams: shipoff teams create SLUG")


@reported
def create_team(
    slug: Annotated[str, typer.Argument(help="For addresses: 2 to 40 lower-case letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="For people; default: the slug.")] = "",
    as_json: Json = False,
) -> None:
    """Makes a team that you own."""
    made = Api().post("teams", body={"slug": slug, "name": name or slug})
    if as_json:
        show.as_json(made)
        return
    print(f"team {made['slug']} is there ({made['id']})")
    print(f"invite somebody: shipoff members invite EMAIL --team {made['slug']}")


@reported
def update_team(
    team: Team,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    slug: Annotated[str | None, typer.Option(help="For addresses.")] = None,
    as_json: Json = False,
) -> None:
    """Changes a team's name or slug; what is not named stays."""
    body = {key: value for key, value in {"name": name, "slug": slug}.items() if value is not None}
    if not body:
        raise Failure("NOTHING_TO_CHANGE", "no change was named", "shipoff teams update --help", Exit.USAGE)
    api = Api()
    changed = api.patch("teams", named.team_id(api, team), body=body)
    if as_json:
        show.as_json(changed)
        return
    print(f"team {changed['slug']} is called {changed['name']}")


@reported
def delete_team(team: Team, yes: Yes = False) -> None:
    """Deletes a team that owns no projects, with its members, invitations and tokens."""
    api = Api()
    found = named.team(api, team)
    if not yes and typer.prompt(f"its slug again, to delete {found['slug']} for good") != found["slug"]:
        raise Failure("NOT_DELETED", "that is another slug; nothing was deleted", status=Exit.USAGE)
    api.delete("teams", found["id"])
    print(f"team {found['slug']} is deleted")


@reported
def transfer_team(
    team: Team,
    member: Annotated[str, typer.Argument(help="Who is to own it: a member's address or id.")],
    as_json: Json = False,
) -> None:
    """Makes a member the owner, and you an admin."""
    api = Api()
    found = named.team(api, team)
    account = named.account(api, ("teams", found["id"]), member)
    after = api.post("teams", found["id"], "transfer", body={"account": account})
    if as_json:
        show.as_json(after)
        return
    print(f"{member} owns {found['slug']}; you are {after['role']}")


@reported
def leave_team(team: Team) -> None:
    """Ends your membership; the last owner can't leave."""
    api = Api()
    found = named.team(api, team)
    api.send("teams", found["id"], "leave")
    print(f"you left {found['slug']}")


def _kind(team: dict[str, Any]) -> str:
    return "personal" if team["personal"] else ""
