"""`shipoff rules`: what the owner of a project says of its routes, beside the repository."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Project
from stack.cli.client.releases import follow_change

Deploy = Annotated[bool, typer.Option(help="Bring it live at once, without a build.")]


@reported
def show_rules(project: Project = None) -> None:
    """Prints the rules as JSON; passwords are hashes."""
    show.as_json(Api().get("projects", link.project(project), "rules")["rules"])


@reported
def set_rules(
    file: Annotated[Path, typer.Argument(help='JSON, e.g. {"maintenance": {"retry_after_s": 600}}; - is stdin.')],
    project: Project = None,
    deploy: Deploy = True,
) -> None:
    """Replaces the rules; what is live gets them at once, as a new release without a build.

    They go before the rules of shipoff.toml of the same name. Passwords may be written in clear.
    """
    _replace(link.project(project), _read(file), deploy, "set the rules")


@reported
def clear_rules(project: Project = None, deploy: Deploy = True) -> None:
    """Removes the rules; those of shipoff.toml stay."""
    _replace(link.project(project), {}, deploy, "removed the rules")


def _replace(project: str, rules: dict[str, Any], deploy: bool, done: str) -> None:
    api = Api()
    made = api.put("projects", project, "rules", body={"rules": rules, "deploy": deploy})["deployment_id"]
    follow_change(api, project, made, done)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text())
    except (OSError, ValueError) as error:
        raise Failure("FILE_UNREADABLE", f"cannot read rules from {file}: {error}", status=Exit.USAGE) from error
    if not isinstance(found, dict):
        raise Failure("FILE_INVALID", f"{file} is no JSON object", status=Exit.USAGE)
    return found
