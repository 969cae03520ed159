"""`shipoff limits`: what a team may have by its plan, and what it uses."""

from __future__ import annotations

from typing import Annotated

import typer

from stack.cli.client import show
from stack.cli.client.api import Api
from stack.cli.client.failures import reported

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@reported
def limits(
    team: Annotated[str, typer.Option("--team", help="Its id (tem_…); default: your own.")] = "",
    as_json: Json = False,
) -> None:
    """Shows a team's limits and what is used of them."""
    api = Api()
    found = api.get("teams", team or f"tem_{api.get('me')['id'][4:]}", "limits")
    if as_json:
        show.as_json(found)
        return
    rows = [[one["name"], _number(one["used"], "each"), _number(one["limit"], "no limit")] for one in found["limits"]]
    show.table(["LIMIT", "USED", f"PLAN {found['plan'].upper()}"], rows, "no limits")
    print(f"what is counted by months begins anew on {found['resets_at'][:10]}")


def _number(value: int | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:,}"
