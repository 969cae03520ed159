"""`shipoff explain`: why a request was answered as it was, or what an address would be answered with."""

from __future__ import annotations

from typing import Annotated

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import reported


@reported
def explain(
    what: Annotated[str, typer.Argument(help="A request's id (header X-Request-Id, error pages, logs), or a URL.")],
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Default: what this folder is linked to.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Says which route, release and instance a request had, what it waited for and why it failed; or would have."""
    query = {"url": what} if any(sign in what for sign in "./:") else {"request": what}
    found = Api().get("projects", link.project(project), "explain", **query)
    if as_json:
        show.as_json(found)
        return
    print("\n".join(found["said"]))
