"""`shipoff deploy`: this folder, as it is now, to production or to a preview."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from stack.cli.client import link, show, snapshot
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.push import push


@reported
def deploy(
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Default: what this folder is linked to.")
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="Make the project if there is none of this name.")] = False,
    preview: Annotated[str, typer.Option(help="Deploy to this preview instead of production.")] = "",
    canary: Annotated[
        str,
        typer.Option(help="Try it on part of the requests first: per cent by steps, e.g. 5,25,50 or 5,25,50/60 (s)."),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the deployment as JSON; progress goes to stderr.")
    ] = False,
) -> None:
    """Deploys the current folder, committed or not, without what .gitignore names.

    Exits with 1 when the deployment fails; what was live before then goes on being served.
    """
    api, folder = Api(), Path.cwd()
    name = link.project(project, folder)
    found = _found(api, name, create=create)
    stream = sys.stderr if as_json else sys.stdout
    with snapshot.of_folder(folder) as taken:
        environment = f"preview/{preview}" if preview else f"canary/{canary}" if canary else "production"
        tell = partial(print, file=stream, flush=True)
        done = push(folder, api.git_url(found["name"]), api.who, taken, environment, tell)
    if as_json and done.deployment_id:
        show.as_json(api.get("projects", name, "deployments", done.deployment_id))
    if not done.live:
        sys.exit(Exit.FAILED)


def _found(api: Api, name: str, *, create: bool) -> dict[str, str]:
    try:
        found: dict[str, str] = api.get("projects", name)
    except Failure as failure:
        if failure.code != "PROJECT_NOT_FOUND":
            raise
        if not create:
            hint = f"make it: shipoff projects create {name} (or deploy with --create)"
            raise Failure(failure.code, failure.detail, hint, failure.status) from None
        found = api.post("projects", body={"name": name})
    return found
