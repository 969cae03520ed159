"""`shipoff previews`: the environments beside production, one per branch."""

from __future__ import annotations

from typing import Annotated

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import reported
from stack.cli.client.options import Json, Project


@reported
def list_previews(project: Project = None, as_json: Json = False) -> None:
    """Lists the previews of a project; a push of a branch, or shipoff deploy --preview NAME, makes one."""
    found = Api().get("projects", link.project(project), "previews")
    if as_json:
        show.as_json(found)
        return
    rows = [[one["environment"], show.ago(one["deployed_at"]), one["expires_at"][:16]] for one in found["previews"]]
    show.table(["PREVIEW", "DEPLOYED", "EXPIRES"], rows, "no previews: push a branch")


@reported
def delete_preview(
    name: Annotated[str, typer.Argument(help="The branch.")],
    project: Project = None,
) -> None:
    """Ends a preview: what it runs and serves goes."""
    branch = name.removeprefix("preview/")
    Api().delete("projects", link.project(project), "previews", branch)
    print(f"preview/{branch} is being taken down")
