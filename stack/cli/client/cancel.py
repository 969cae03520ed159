"""`shipoff cancel`: what is not finished ends, its build with all of its processes."""

from __future__ import annotations

from typing import Annotated

import typer

from kernel.deployments import UNFINISHED
from stack.cli.client import link
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Project


@reported
def cancel(
    deployment: Annotated[str, typer.Argument(help="dep_…; default: the newest that is not finished.")] = "",
    project: Project = None,
) -> None:
    """Ends a deployment; what served before serves on."""
    api, name = Api(), link.project(project)
    wanted = deployment or _unfinished(api, name)
    api.post("projects", name, "deployments", wanted, "cancel", body={})
    print(f"{wanted}: its end is on its way")


def _unfinished(api: Api, project: str) -> str:
    for one in api.get("projects", project, "deployments", limit=20)["deployments"]:
        if one["state"] in UNFINISHED:
            return str(one["id"])
    raise Failure("DEPLOYMENT_FINISHED", "nothing is under way", "shipoff deployments", Exit.NOT_FOUND)
