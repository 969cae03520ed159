"""`shipoff tokens`: API tokens of your account, or, with --project, of a project itself."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from stack.cli.client import show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json

Project = Annotated[str, typer.Option("--project", "-p", help="Tokens of this project, which belong to no account.")]


def register(app: typer.Typer) -> None:
    """Adds the commands below `tokens`."""
    app.command("list")(list_tokens)
    app.command("create")(create_token)
    app.command("revoke")(revoke_token)


@reported
def list_tokens(project: Project = "", as_json: Json = False) -> None:
    """Lists tokens, without their secrets."""
    found = Api().get(*_where(project))
    if as_json:
        show.as_json(found)
        return
    rows = [
        [
            one["id"],
            one["name"],
            f"{one['prefix']}…",
            _may(one),
            show.ago(one["last_used_at"]) if one["last_used_at"] else "never",
            (one["expires_at"] or "never")[:16],
        ]
        for one in found["tokens"]
    ]
    show.table(["TOKEN", "NAME", "SECRET", "MAY", "USED", "EXPIRES"], rows, "no tokens: shipoff tokens create NAME")


@reported
def create_token(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", "-s", help="Only this permission, e.g. ENV:READ; repeatable."),
    ] = None,
    only: Annotated[str, typer.Option(help="A token of yours for this one project alone.")] = "",
    days: Annotated[int | None, typer.Option(min=1, max=366, help="Expires after so many days.")] = None,
    project: Project = "",
    role: Annotated[str, typer.Option("--role", "-r", help="Of a project's token: at most your own.")] = "DEVELOPER",
    as_json: Json = False,
) -> None:
    """Makes a token; its secret is printed this once, alone on stdout."""
    if project and only:
        hint = "--project makes a token of the project itself, --only one of yours"
        raise Failure("OPTIONS_CONFLICT", "give --project or --only", hint, Exit.USAGE)
    body: dict[str, Any] = {"name": name, "scopes": scope, "expires_in_days": days}
    body |= {"role": role.upper()} if project else {"project": only}
    made = Api().post(*_where(project), body=body)
    if as_json:
        show.as_json(made)
        return
    print(f"{made['token']['id']} may {_may(made['token'])}; keep its secret, it is shown this once:", file=sys.stderr)
    print(made["secret"])


@reported
def revoke_token(
    token: Annotated[str, typer.Argument(help="Its id (tok_…).")],
    project: Project = "",
) -> None:
    """Ends a token, from the next request on."""
    Api().delete(*_where(project), token)
    print(f"{token} is revoked")


def _where(project: str) -> tuple[str, ...]:
    return ("projects", project, "tokens") if project else ("me", "tokens")


def _may(token: dict[str, Any]) -> str:
    whole = f"all of {token['role']}" if token["role"] else "all that you may"
    may = " ".join(token["scopes"]) if token["scopes"] is not None else whole
    return f"{may} on {token['project_id']}" if token["project_id"] else may
