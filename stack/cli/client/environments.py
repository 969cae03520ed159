"""`shipoff environments`: production and the previews; `shipoff frameworks`: what the platform recognises."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import reported
from stack.cli.client.options import Json, Project


@reported
def environments(
    name: Annotated[str, typer.Argument(help="production or preview/BRANCH, to see one with its variables.")] = "",
    project: Project = None,
    as_json: Json = False,
) -> None:
    """Lists production and the previews with what is live there, or shows one with the variables that count there."""
    api, wanted = Api(), link.project(project)
    found = api.get("projects", wanted, "environments", *name.split("/")) if name else None
    listed = [found] if found else api.get("projects", wanted, "environments")["environments"]
    if as_json:
        show.as_json(found or {"environments": listed})
        return
    rows = [[one["name"], one["branch"], one["url"] or "not live", _age(one), _end(one)] for one in listed]
    show.table(["ENVIRONMENT", "BRANCH", "URL", "DEPLOYED", "EXPIRES"], rows, "")
    if found and found["env"] is not None:
        values = [
            [one["name"], "(secret)" if one["secret"] else "********", one["environment"], one["scope"]]
            for one in found["env"]
        ]
        show.table(["NAME", "VALUE", "SET FOR", "FOR"], values, "no variables: shipoff env set NAME=VALUE")


@reported
def frameworks(as_json: Json = False) -> None:
    """Lists the frameworks that are recognised, in the order in which they are looked for."""
    found = Api().get("frameworks")
    if as_json:
        show.as_json(found)
        return
    rows = [[one["id"], one["name"], one["kind"], one["detection"]] for one in found["frameworks"]]
    show.table(["ID", "NAME", "KIND", "RECOGNISED BY"], rows, "")


def _age(one: dict[str, Any]) -> str:
    return show.ago(one["deployed_at"]) if one["deployed_at"] else "never"


def _end(one: dict[str, Any]) -> str:
    return str(one["expires_at"])[:16] if one["expires_at"] else "-"
