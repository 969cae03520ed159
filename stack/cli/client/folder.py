"""What ties a folder to a project: `init` makes one for it, `link` takes one that is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from stack.cli.client import git, link, named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json, Team

LENGTH: Final = 40
_OTHER: Final = re.compile(r"[^a-z0-9]+")
Remote = Annotated[bool, typer.Option(help="In a repository, also add a git remote `shipoff`.")]


@reported
def init(
    name: Annotated[str, typer.Argument(help="Of the project; default: the folder's.")] = "",
    team: Team = "",
    remote: Remote = True,
    as_json: Json = False,
) -> None:
    """Makes a project for this folder and links the folder to it; what it is built with is detected."""
    api, folder = Api(), Path.cwd()
    if (folder / link.FILE).exists():
        raise Failure("ALREADY_LINKED", f"{link.FILE} names {link.project(None)}", f"remove {link.FILE}", Exit.USAGE)
    body = {"name": name or suggested(folder.name)} | ({"team": named.team_id(api, team)} if team else {})
    made = api.post("projects", body=body)
    said = tie(api, made, folder, remote=remote)
    if as_json:
        show.as_json(made)
        return
    print("\n".join([f"project {made['name']} is there", *said, "deploy this folder:  shipoff deploy"]))


@reported
def link_folder(name: Annotated[str, typer.Argument(help="Project.")], remote: Remote = True) -> None:
    """Remembers a project for this folder, and lets `git push shipoff` work in it."""
    api = Api()
    print("\n".join(tie(api, api.get("projects", name), Path.cwd(), remote=remote)))


def tie(api: Api, project: dict[str, Any], folder: Path, *, remote: bool) -> list[str]:
    """Links a folder to a project; returns what there is to say.

    Args:
        api: of the platform.
        project: as the API shows it.
        folder: gets the file, and a git remote if it is in a repository.
        remote: whether it is to get one.
    """
    said = [f"{link.remember(project['name'], folder)} names {project['name']}"]
    if remote and git.attempt(folder, "rev-parse", "--is-inside-work-tree").stdout.strip() == "true":
        url = api.git_url(project["name"])
        if git.attempt(folder, "remote", "set-url", "shipoff", url).returncode != 0:
            git.run(folder, "remote", "add", "shipoff", url)
        # git asks this command for the password, so the token stays in one place
        git.run(folder, "config", f"credential.{api.who.url}.helper", "!shipoff git-credential")
        said.append(f"git push shipoff {project['production_branch']} deploys it")
    return said


def suggested(folder: str) -> str:
    """A folder's name as a project's; the platform judges what comes of it."""
    return _OTHER.sub("-", folder.lower()).strip("-")[:LENGTH].strip("-")
