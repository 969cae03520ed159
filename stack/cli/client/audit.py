"""`shipoff audit`: what was changed in what a team owns, and by whom."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from stack.cli.client import named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import reported
from stack.cli.client.options import Team

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one record a line.")]


@reported
def audit(
    team: Team = "",
    project: Annotated[str, typer.Option("--project", "-p", help="Name or id.")] = "",
    actor: Annotated[str, typer.Option(help="Address or id of who did it, or a token's id.")] = "",
    action: Annotated[str, typer.Option(help="How it begins: domain. finds domain.create.")] = "",
    target: Annotated[str, typer.Option(help="What was changed: id or name.")] = "",
    since: Annotated[str, typer.Option(help="RFC 3339, e.g. 2026-05-01T00:00:00Z.")] = "",
    until: Annotated[str, typer.Option(help="RFC 3339.")] = "",
    text: Annotated[str, typer.Option(help="Anywhere in what was changed.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    as_json: Json = False,
) -> None:
    """Shows a team's audit log, newest first; for its owners and admins."""
    api = Api()
    found = named.team(api, team)
    filters = {"actor": actor, "action": action, "target": target, "since": since, "until": until, "text": text}
    if project:
        filters["project"] = api.get("projects", project)["id"]
    events = _found(api, found["id"], filters, limit)
    if as_json:
        for one in events:
            print(json.dumps(one))
        return
    rows = [
        [one["at"][:19], one["actor_name"] or one["actor_id"], one["action"], one["target"], _change(one)]
        for one in events
    ]
    show.table(["AT (UTC)", "WHO", "DID", "TO", "CHANGE"], rows, "no such records")


def _found(api: Api, team_id: str, filters: dict[str, str], limit: int) -> list[dict[str, Any]]:
    """Page by page; one may hold less than it could and still have a next one."""
    events: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None and len(events) < limit:
        page = api.get("teams", team_id, "audit", **filters, limit=min(limit - len(events), 200), cursor=cursor)
        events += page["events"]
        cursor = page["next_cursor"]
    return events


def _change(event: dict[str, Any]) -> str:
    before, after = event["before"], event["after"]
    names = sorted({*before, *after})
    return ", ".join(f"{name}: {_value(before, name)} → {_value(after, name)}" for name in names)


def _value(fields: dict[str, Any], name: str) -> str:
    if name not in fields:
        return "–"
    value = fields[name]
    return value if isinstance(value, str) else json.dumps(value)
