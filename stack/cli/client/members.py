"""`shipoff members`: who belongs to a team, or, with --project, who has a role on one project; and `shipoff join`."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import typer

from stack.cli.client import named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import reported
from stack.cli.client.options import Json, Team

Project = Annotated[str, typer.Option("--project", "-p", help="One project instead: its guests and added roles.")]
Who = Annotated[str, typer.Argument(help="A member's address or id.")]
RoleName = Annotated[str, typer.Option("--role", "-r", help="OWNER, ADMIN, DEVELOPER or VIEWER.")]
Invitation = Annotated[str, typer.Argument(help="Its id (inv_…).")]


def register(app: typer.Typer) -> None:
    """Adds the commands below `members`."""
    app.command("list")(list_members)
    app.command("invite")(invite)
    app.command("role")(change_role)
    app.command("remove")(remove_member)
    app.command("invitations")(list_invitations)
    app.command("resend")(resend)
    app.command("revoke")(revoke)


@reported
def list_members(team: Team = "", project: Project = "", as_json: Json = False) -> None:
    """Lists the members of a team, or who has a role on a project itself."""
    api = Api()
    found = api.get(*_where(api, team, project), "members")
    if as_json:
        show.as_json(found)
        return
    rows = [
        [one["email"], one["role"], "" if one["in_team"] else "guest", show.ago(one["since"]), one["account_id"]]
        for one in found["members"]
    ]
    show.table(["MEMBER", "ROLE", "", "SINCE", "ID"], rows, "nobody: shipoff members invite EMAIL")


@reported
def invite(
    email: Annotated[str, typer.Argument(help="Their address.")],
    role: RoleName = "DEVELOPER",
    team: Team = "",
    project: Project = "",
    as_json: Json = False,
) -> None:
    """Invites somebody by their address; at most with your own role."""
    api = Api()
    body = {"email": email, "role": role.upper()}
    _sent(api.post(*_where(api, team, project), "invitations", body=body), as_json)


@reported
def change_role(
    who: Who,
    role: Annotated[str, typer.Argument(help="OWNER, ADMIN, DEVELOPER or VIEWER.")],
    team: Team = "",
    project: Project = "",
    as_json: Json = False,
) -> None:
    """Gives a member another role; at most your own."""
    api = Api()
    where = _where(api, team, project)
    changed = api.patch(*where, "members", named.account(api, where, who), body={"role": role.upper()})
    if as_json:
        show.as_json(changed)
        return
    print(f"{changed['email']} is {changed['role']}")


@reported
def remove_member(who: Who, team: Team = "", project: Project = "") -> None:
    """Ends a membership, with the roles on the team's projects; or takes the role on a project away."""
    api = Api()
    where = _where(api, team, project)
    api.delete(*where, "members", named.account(api, where, who))
    print(f"{who} is removed")


@reported
def list_invitations(team: Team = "", project: Project = "", as_json: Json = False) -> None:
    """Lists the invitations that can be accepted."""
    api = Api()
    found = api.get(*_where(api, team, project), "invitations")
    if as_json:
        show.as_json(found)
        return
    rows = [[one["id"], one["email"], _offer(one), one["expires_at"][:16]] for one in found["invitations"]]
    show.table(["INVITATION", "TO", "AS", "UNTIL"], rows, "no open invitations: shipoff members invite EMAIL")


@reported
def resend(invitation: Invitation, team: Team = "", project: Project = "", as_json: Json = False) -> None:
    """Sends an invitation again, with a new link."""
    api = Api()
    _sent(api.post(*_where(api, team, project), "invitations", invitation, "resend", body={}), as_json)


@reported
def revoke(invitation: Invitation, team: Team = "", project: Project = "") -> None:
    """Takes an invitation back."""
    api = Api()
    api.delete(*_where(api, team, project), "invitations", invitation)
    print(f"{invitation} is taken back")


@reported
def join(
    link: Annotated[str, typer.Argument(help="The link of an invitation, or the token in it.")],
    as_json: Json = False,
) -> None:
    """Accepts an invitation that was sent to your address."""
    token = parse_qs(urlsplit(link).query).get("token", [link])[0]
    got = Api().post("invitations", "accept", body={"token": token})
    if as_json:
        show.as_json(got)
        return
    if got["role"]:
        print(f"you are {got['role']} of {got['team_name']} ({got['team_id']})")
    if got["project_id"]:
        print(f"you are {got['project_role']} on {got['project_id']}, a project of {got['team_name']}")


def _where(api: Api, team: str, project: str) -> tuple[str, ...]:
    return ("projects", project) if project else ("teams", named.team_id(api, team))


def _offer(invitation: dict[str, Any]) -> str:
    return invitation["role"] or f"{invitation['project_role']} on {invitation['project_id']}"


def _sent(sent: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show.as_json(sent)
        return
    invitation = sent["invitation"]
    print(f"{invitation['email']} is invited until {invitation['expires_at'][:16]} ({invitation['id']})")
    print(f"they get a mail; what it says: shipoff join '{sent['accept_url']}'")
