"""`shipoff hooks`: who is told of what happens to a project, or with --team to all projects of a team."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from stack.cli.client import link, named, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json, Project

Team = Annotated[str, typer.Option("--team", "-t", help="Its slug or id: of this team as a whole, not of a project.")]
Hook = Annotated[str, typer.Argument(help="Its id (hok_…).")]
Delivery = Annotated[str, typer.Argument(help="Its id (dlv_…).")]
Events = Annotated[list[str] | None, typer.Option("--event", "-e", help="Hears this event; may be repeated.")]
Environments = Annotated[list[str] | None, typer.Option("--env", help="production, preview or preview/BRANCH.")]


def register(app: typer.Typer) -> None:
    """Adds the commands below `hooks`."""
    app.command("list")(list_hooks)
    app.command("create")(create_hook)
    app.command("update")(update_hook)
    app.command("delete")(delete_hook)
    app.command("rotate")(rotate_hook)
    app.command("ping")(ping_hook)
    app.command("deliveries")(list_deliveries)
    app.command("redeliver")(redeliver)


@reported
def list_hooks(project: Project = None, team: Team = "", as_json: Json = False) -> None:
    """Lists the hooks of a project, or of a team."""
    api = Api()
    found = api.get(*_of(api, project, team), "hooks")
    if as_json:
        show.as_json(found)
        return
    rows = [[one["id"], one["name"], one["kind"], one["target"], _state(one)] for one in found["hooks"]]
    show.table(["HOOK", "NAME", "KIND", "TARGET", "STATE"], rows, "no hooks: shipoff hooks create URL")


@reported
def create_hook(
    target: Annotated[str, typer.Argument(help="An https URL, or a member's mail address.")],
    kind: Annotated[str, typer.Option(help="webhook, slack or email; default: by the target.")] = "",
    name: Annotated[str, typer.Option(help="For people.")] = "",
    events: Events = None,
    environments: Environments = None,
    project: Project = None,
    team: Team = "",
    as_json: Json = False,
) -> None:
    """Makes a hook; without --event it hears everything."""
    body = {
        "target": target,
        "kind": kind or _kind_of(target),
        "name": name,
        "events": events or [],
        "environments": environments or [],
    }
    api = Api()
    made = api.post(*_of(api, project, team), "hooks", body=body)
    if as_json:
        show.as_json(made)
        return
    print(f"{made['id']} is there; try it: shipoff hooks ping {made['id']}{_where(project, team)}")
    _print_secret(made)


@reported
def update_hook(
    hook: Hook,
    target: Annotated[str | None, typer.Option(help="An https URL, or a member's mail address.")] = None,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Switches it on or off.")] = None,
    events: Events = None,
    environments: Environments = None,
    project: Project = None,
    team: Team = "",
    as_json: Json = False,
) -> None:
    """Changes a hook; what is not named stays. `--event ''` hears everything again."""
    wanted = {
        "target": target,
        "name": name,
        "active": on,
        "events": None if events is None else [one for one in events if one],
        "environments": None if environments is None else [one for one in environments if one],
    }
    body = {name: value for name, value in wanted.items() if value is not None}
    if not body:
        raise Failure("NOTHING_TO_CHANGE", "no change was named", "shipoff hooks update --help", Exit.USAGE)
    api = Api()
    changed = api.patch(*_of(api, project, team), "hooks", hook, body=body)
    if as_json:
        show.as_json(changed)
        return
    print(f"{hook} is {_state(changed)}")


@reported
def delete_hook(hook: Hook, project: Project = None, team: Team = "") -> None:
    """Deletes a hook with its log."""
    api = Api()
    api.delete(*_of(api, project, team), "hooks", hook)
    print(f"{hook} is deleted")


@reported
def rotate_hook(hook: Hook, project: Project = None, team: Team = "", as_json: Json = False) -> None:
    """Gives a webhook a new secret; the one before signs beside it for a day."""
    api = Api()
    made = api.post(*_of(api, project, team), "hooks", hook, "rotate", body={})
    if as_json:
        show.as_json(made)
        return
    _print_secret(made)
    print(f"the one before signs too until {made['old_secret_until'][:16]}")


@reported
def ping_hook(hook: Hook, project: Project = None, team: Team = "", as_json: Json = False) -> None:
    """Sends a test; what became of it: shipoff hooks deliveries HOOK."""
    api = Api()
    made = api.post(*_of(api, project, team), "hooks", hook, "ping", body={})
    if as_json:
        show.as_json(made)
        return
    print(f"{made['id']} is on its way: shipoff hooks deliveries {hook}{_where(project, team)}")


@reported
def list_deliveries(
    hook: Hook,
    delivery: Annotated[str, typer.Argument(help="Only this one (dlv_…), with every attempt.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    project: Project = None,
    team: Team = "",
    as_json: Json = False,
) -> None:
    """Shows what a hook was told, newest first, or all about one delivery."""
    api = Api()
    where = (*_of(api, project, team), "hooks", hook, "deliveries")
    if delivery:
        found = api.get(*where, delivery)
        if as_json:
            show.as_json(found)
        else:
            _print_attempts(found)
        return
    found = api.get(*where, limit=limit)
    if as_json:
        show.as_json(found)
        return
    rows = [
        [one["id"], one["type"], one["state"], str(one["attempts"]), show.ago(one["created_at"])]
        for one in found["deliveries"]
    ]
    show.table(["DELIVERY", "EVENT", "STATE", "ATTEMPTS", "AGE"], rows, "nothing was told yet")


@reported
def redeliver(hook: Hook, delivery: Delivery, project: Project = None, team: Team = "", as_json: Json = False) -> None:
    """Sends a message once more, under the id that its receiver knows."""
    api = Api()
    made = api.post(*_of(api, project, team), "hooks", hook, "deliveries", delivery, "redeliver", body={})
    if as_json:
        show.as_json(made)
        return
    print(f"{made['id']} is on its way")


def _of(api: Api, project: str | None, team: str) -> tuple[str, str]:
    return ("teams", named.team_id(api, team)) if team else ("projects", link.project(project))


def _where(project: str | None, team: str) -> str:
    """What a further command needs to find the same hook."""
    return f" --team {team}" if team else f" --project {project}" if project else ""


def _kind_of(target: str) -> str:
    if "://" not in target and "@" in target:
        return "email"
    return "slack" if target.startswith("https://hooks.slack.com/") else "webhook"


def _state(hook: dict[str, Any]) -> str:
    if not hook["active"]:
        return f"off: {hook['disabled_reason']}" if hook["disabled_reason"] else "off"
    return f"on, failing since {hook['failing_since'][:16]}" if hook["failing_since"] else "on"


def _print_secret(hook: dict[str, Any]) -> None:
    if hook["secret"]:
        print(f"its secret, shown this once: {hook['secret']}")


def _print_attempts(found: dict[str, Any]) -> None:
    one = found["delivery"]
    print(f"{one['id']} {one['type']} {one['state']}, webhook-id {one['message_id']}")
    print(json.dumps(found["data"], indent=2))
    for attempt in found["log"]:
        print(f"{attempt['number']}. {attempt['at']}: {attempt['status'] or 'no answer'}, {attempt['duration_ms']} ms")
        print("   " + (attempt["error"] or attempt["response_body"][:500] or "delivered"))
