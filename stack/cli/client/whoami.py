"""`shipoff whoami`: whose credential this is, and what it may do."""

from __future__ import annotations

from typing import Annotated

import typer

from stack.cli.client import named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import reported
from stack.cli.client.options import Json


@reported
def whoami(
    project: Annotated[str, typer.Option("--project", "-p", help="Also what you may do there, and why.")] = "",
    team: Annotated[str, typer.Option("--team", "-t", help="Also what you may do in this team, and why.")] = "",
    as_json: Json = False,
) -> None:
    """Shows whose token this is, the teams, and with --project or --team each permission with the rule that decides."""
    api = Api()
    me, teams = api.get("me"), api.get("teams")["teams"]
    asked = {"project": project} if project else {"team": named.team_id(api, team)} if team else {}
    decided = api.get("me", "permissions", **asked) if asked else None
    if as_json:
        show.as_json({"account": me, "teams": teams, "url": api.who.url, "permissions": decided})
        return
    if decided is None:
        print(f"{me['email']} ({me['id']}) at {api.who.url}")
        rows = [[one["slug"], one["role"]] for one in teams]
        show.table(["TEAM", "ROLE"], rows, "in no team that this token may see")
        return
    rows = [[one["permission"], "yes" if one["allowed"] else "no", one["rule"]] for one in decided["permissions"]]
    show.table(["PERMISSION", "MAY", "WHY"], rows, "")
