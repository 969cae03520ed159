"""`shipoff env`: a project's variables. Values that are secret need not stand on the command line."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.releases import follow_change

Project = Annotated[str | None, typer.Option("--project", "-p", help="Default: what this folder is linked to.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, values in clear.")]

Deploy = Annotated[bool, typer.Option(help="Bring it live at once, without a build.")]


@reported
def list_env(
    project: Project = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the values.")] = False,
    as_json: Json = False,
) -> None:
    """Lists the variables; values stay hidden unless asked for."""
    found = Api().get("projects", link.project(project), "env")
    if as_json:
        show.as_json(found)
        return
    rows = [
        [one["name"], one["value"] if reveal else "********", one["scope"], show.ago(one["updated_at"])]
        for one in found["env"]
    ]
    show.table(["NAME", "VALUE", "FOR", "CHANGED"], rows, "no variables: shipoff env set NAME=VALUE")


@reported
def set_env(
    assignments: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE, or NAME to be asked for the value.")
    ] = None,
    project: Project = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A .env file with NAME=VALUE lines.")] = None,
    deploy: Deploy = True,
    scope: Annotated[str, typer.Option(help="build, run or all (both); default: as it is, all for new ones.")] = "",
) -> None:
    """Sets variables; what is live gets them at once, as a new release without a build."""
    wanted = _of_file(file) if file else {}
    for text in assignments or []:
        name, equals, value = text.partition("=")
        wanted[name] = value if equals else _ask(name)
    if not wanted:
        raise Failure("NOTHING_TO_SET", "no variable was named", "shipoff env set NAME=VALUE", Exit.USAGE)
    _change(
        link.project(project), {"set": wanted, "deploy": deploy, "scope": scope}, f"set {', '.join(sorted(wanted))}"
    )


@reported
def unset_env(
    names: Annotated[list[str], typer.Argument(help="Names.")],
    project: Project = None,
    deploy: Deploy = True,
) -> None:
    """Removes variables; what is live goes without them at once, as a new release without a build."""
    _change(link.project(project), {"unset": names, "deploy": deploy}, f"removed {', '.join(sorted(names))}")


def _change(project: str, body: dict[str, object], done: str) -> None:
    api = Api()
    made = api.put("projects", project, "env", body=body)["deployment_id"]
    follow_change(api, project, made, done)


def _ask(name: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"{name}: ")
    return sys.stdin.readline().rstrip("\n")


def _of_file(path: Path) -> dict[str, str]:
    """Variables of a .env file: NAME=VALUE, `export` allowed, # comments, quotes around a whole value removed."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure("FILE_UNREADABLE", f"cannot read {path}: {error}", status=Exit.USAGE) from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise Failure("FILE_INVALID", f"{path}:{number} is not NAME=VALUE", status=Exit.USAGE)
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
