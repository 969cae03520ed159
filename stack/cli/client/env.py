"""`shipoff env`: a project's variables. Values that are secret need not stand on the command line."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Project
from stack.cli.client.releases import follow_change

Json = Annotated[bool, typer.Option("--json", help="Print JSON, values in clear.")]
Deploy = Annotated[bool, typer.Option(help="Bring it live at once, without a build.")]
Environment = Annotated[
    str,
    typer.Option("--environment", "-e", help="all, production, preview (all previews) or preview/BRANCH."),
]
Scope = Annotated[str, typer.Option(help="build, run or all (both); default: as it is, all for new ones.")]
Secret = Annotated[
    bool | None,
    typer.Option("--secret/--plain", help="Whether the value is never shown again; default: as it is, plain for new."),
]
LISTED = 5  # names that are told of each kind


@reported
def list_env(
    project: Project = None,
    environment: Annotated[str, typer.Option("--environment", "-e", help="Only what is set for just this.")] = "",
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the values, but for secrets.")] = False,
    as_json: Json = False,
) -> None:
    """Lists the variables; values stay hidden unless asked for, and secrets always."""
    found = Api().get("projects", link.project(project), "env", environment=environment)
    if as_json:
        show.as_json(found)
        return
    rows = [
        [one["name"], _shown(one, reveal=reveal), one["environment"], one["scope"], show.ago(one["updated_at"])]
        for one in found["env"]
    ]
    show.table(["NAME", "VALUE", "ENVIRONMENT", "FOR", "CHANGED"], rows, "no variables: shipoff env set NAME=VALUE")


@reported
def set_env(
    assignments: Annotated[list[str], typer.Argument(help="NAME=VALUE, or NAME to be asked for the value.")],
    project: Project = None,
    environment: Environment = "all",
    deploy: Deploy = True,
    scope: Scope = "",
    secret: Secret = None,
) -> None:
    """Sets variables; what is live gets them at once, as a new release without a build."""
    wanted = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        wanted[name] = value if equals else _ask(name)
    body = {"set": wanted, "environment": environment, "deploy": deploy, "scope": scope, "secret": secret}
    _change(link.project(project), body, f"set {', '.join(sorted(wanted))}")


@reported
def unset_env(
    names: Annotated[list[str], typer.Argument(help="Names.")],
    project: Project = None,
    environment: Environment = "all",
    deploy: Deploy = True,
) -> None:
    """Removes variables; what is live goes without them at once, as a new release without a build."""
    body = {"unset": names, "environment": environment, "deploy": deploy}
    _change(link.project(project), body, f"removed {', '.join(sorted(names))}")


@reported
def import_env(
    file: Annotated[str, typer.Argument(help="A .env file; - is stdin.")],
    project: Project = None,
    environment: Environment = "all",
    scope: Scope = "",
    secret: Secret = None,
    replace: Annotated[bool, typer.Option("--replace", help="Remove plain variables that the file has not.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    deploy: Deploy = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; follows no deployment.")] = False,
) -> None:
    """Sets all variables of a .env file, or none when a line of it is wrong."""
    name, api = link.project(project), Api()
    body = {
        "text": _text_of(file),
        "environment": environment,
        "scope": scope,
        "secret": secret,
        "replace": replace,
        "dry_run": dry_run,
        "deploy": deploy,
    }
    found = api.post("projects", name, "env", "import", body=body)
    if as_json:
        show.as_json(found)
        return
    told = _told(found)
    if dry_run or not (found["added"] or found["changed"] or found["removed"]):
        print(f"would have {told}" if dry_run else "nothing to change")
        return
    follow_change(api, name, found["deployment_id"], told)


@reported
def export_env(
    project: Project = None,
    environment: Environment = "all",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file (mode 0600); default: stdout.")] = None,
) -> None:
    """Writes the variables of one environment as a .env file; of secrets it has the names only."""
    found = Api().get("projects", link.project(project), "env", "export", environment=environment)
    if output is None:
        sys.stdout.write(found["text"])
    else:
        _write(output, found["text"])
    if found["secrets"]:
        print(f"without the values of secrets: {', '.join(found['secrets'])}", file=sys.stderr)


def _change(project: str, body: dict[str, object], done: str) -> None:
    api = Api()
    made = api.put("projects", project, "env", body=body)["deployment_id"]
    follow_change(api, project, made, done)


def _shown(one: dict[str, Any], *, reveal: bool) -> str:
    if one["secret"]:
        return "(secret)"
    return str(one["value"]) if reveal else "********"


def _told(found: dict[str, Any]) -> str:
    parts = [
        f"{what} {', '.join(found[what][:LISTED])}" + (" …" if len(found[what]) > LISTED else "")
        for what in ("added", "changed", "removed")
        if found[what]
    ]
    return "; ".join(parts or ["changed nothing"]) + f" ({len(found['unchanged'])} unchanged)"


def _ask(name: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"{name}: ")
    return sys.stdin.readline().rstrip("\n")


def _text_of(file: str) -> str:
    """The file as it is, line ends and all: quotes may hold several lines."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure("FILE_UNREADABLE", f"cannot read {file}: {error}", status=Exit.USAGE) from error


def _write(path: Path, text: str) -> None:
    try:
        path.touch(mode=0o600)
        path.write_bytes(text.encode())
    except OSError as error:
        raise Failure("FILE_UNWRITABLE", f"cannot write {path}: {error}", status=Exit.USAGE) from error
