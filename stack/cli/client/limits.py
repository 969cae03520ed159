"""`shipoff limits`: what a team may have by its plan, and what it uses."""

from __future__ import annotations

from stack.cli.client import named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import reported
from stack.cli.client.options import Json, Team


@reported
def limits(
    team: Team = "",
    as_json: Json = False,
) -> None:
    """Shows a team's limits and what is used of them."""
    api = Api()
    found = api.get("teams", named.team_id(api, team), "limits")
    if as_json:
        show.as_json(found)
        return
    rows = [[one["name"], _number(one["used"], "each"), _number(one["limit"], "no limit")] for one in found["limits"]]
    show.table(["LIMIT", "USED", f"PLAN {found['plan'].upper()}"], rows, "no limits")
    print(f"what is counted by months begins anew on {found['resets_at'][:10]}")


def _number(value: int | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:,}"
