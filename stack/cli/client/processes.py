"""`shipoff ps | scale | restart | cron`: what runs, how many of it, new ones for old, and what runs at times."""

from __future__ import annotations

import re
import sys
import time
from typing import Annotated, Any, Final

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Json, Project

Environment = Annotated[str, typer.Option("--environment", "-e", help="Which one.")]
WAIT_S: Final = 300.0  # for a restart to be through
POLL_S: Final = 0.5
_RANGE: Final = re.compile(r"(\d{1,4})(?:\.\.(\d{1,4}))?")


@reported
def processes(project: Project = None, environment: Environment = "production", as_json: Json = False) -> None:
    """Shows the processes of an environment and their instances; those that crashed in the last hour too."""
    found = Api().get("projects", link.project(project), "processes", environment=environment)
    if as_json:
        show.as_json(found)
        return
    for one in found["processes"]:
        print(_headline(one))
    instances = [one for process in found["processes"] for one in process["instances"]] + found["others"]
    columns = ["INSTANCE", "PROCESS", "STATE", "UP", "CPU", "MEMORY", "RELEASE"]
    show.table(columns, [_row(one) for one in instances], "no instance runs")


def _headline(process: dict[str, Any]) -> str:
    bounds = "" if process["min"] == process["max"] else f" (of {process['min']}..{process['max']})"
    crashes = f", crashed {process['crashes']} times in a row" if process["crashes"] else ""
    count = f"{process['ready']}/{process['desired']}{bounds}"
    return f"{process['name']}: {process['state']} {count}{crashes}   {process['command']}"


def _row(one: dict[str, Any]) -> list[str]:
    ended, usage = one["ended"], one["usage"]
    state = f"{one['state']}: {_end(ended)}" if ended else str(one["state"])
    cpu, memory = (
        (f"{usage['cpu_share'] * 100:.0f} %", f"{usage['memory_bytes'] / 2**20:.0f} MiB") if usage else ("", "")
    )
    up = "" if ended else show.ago(one["started_at"]).removesuffix(" ago")
    return [one["id"], one["process"], state, up, cpu, memory, one["release_id"]]


def _end(ended: dict[str, Any]) -> str:
    status = ended["exit_status"]
    how = f"signal {-status}" if status < 0 else f"status {status}"
    said = f", said {ended['last_lines'][-1]!r}" if ended["last_lines"] else ""
    return f"{ended['reason']} with {how}, {show.ago(ended['at'])}{said}"


@reported
def scale(
    wanted: Annotated[list[str], typer.Argument(help="web=3, web=1..5 (by load), web=auto (as shipoff.toml says).")],
    project: Project = None,
    environment: Environment = "production",
    as_json: Json = False,
) -> None:
    """Says how many instances of a process run; a number set by hand outlives deployments."""
    changes = [_change(text) for text in wanted]
    api, name = Api(), link.project(project)
    done = [api.post("projects", name, "scale", body={**change, "environment": environment}) for change in changes]
    if as_json:
        show.as_json({"processes": done})
        return
    for one in done:
        range_ = str(one["max"]) if one["min"] == one["max"] else f"{one['min']}..{one['max']} by load"
        print(f"{one['name']}: {range_}, {one['desired']} wanted now")


def _change(text: str) -> dict[str, object]:
    process, equals, count = text.partition("=")
    if process and equals and count == "auto":
        return {"process": process, "auto": True}
    match = _RANGE.fullmatch(count)
    if not process or match is None:
        raise Failure("SCALE_INVALID", f"{text!r} says no number", "web=3, web=1..5 or web=auto", Exit.USAGE)
    if match[2] is None:
        return {"process": process, "instances": int(match[1])}
    return {"process": process, "min": int(match[1]), "max": int(match[2])}


@reported
def restart(
    project: Project = None,
    environment: Environment = "production",
    wait: Annotated[bool, typer.Option(help="Until all are replaced.")] = True,
) -> None:
    """Replaces all instances, one after the other, without losing a request."""
    api, name = Api(), link.project(project)
    before = _ready(api, name, environment)
    count = api.post("projects", name, "restart", body={"environment": environment})["instances"]
    print(f"{count} instances are being replaced", file=sys.stderr)
    give_up = time.monotonic() + WAIT_S
    while wait and before & _ready(api, name, environment):
        if time.monotonic() > give_up:
            raise Failure("RESTART_SLOW", f"not all were replaced in {WAIT_S:.0f} s", "shipoff ps; shipoff logs")
        time.sleep(POLL_S)


def _ready(api: Api, name: str, environment: str) -> set[str]:
    found = api.get("projects", name, "processes", environment=environment)
    return {
        one["id"]
        for process in found["processes"]
        for one in process["instances"]
        if one["state"] in ("ready", "draining")
    }


@reported
def crons(project: Project = None, environment: Environment = "production", as_json: Json = False) -> None:
    """Lists the cron jobs of the live release, when they are due, and how they ran."""
    found = Api().get("projects", link.project(project), "crons", environment=environment)
    if as_json:
        show.as_json(found)
        return
    last = {run["name"]: run for run in reversed(found["runs"])}
    rows = [
        [one["name"], one["schedule"], one["timezone"], one["next_at"] or "never", _told(last.get(one["name"]))]
        for one in found["crons"]
    ]
    show.table(["JOB", "SCHEDULE", "ZONE", "NEXT", "LAST"], rows, "no cron jobs: add [[cron]] to shipoff.toml")


def _told(run: dict[str, Any] | None) -> str:
    if run is None:
        return "has not run yet"
    status = f" with status {run['exit_status']}" if run["state"] == "failed" else ""
    detail = f" ({run['detail']})" if run["detail"] else ""
    return f"{run['state']}{status}{detail}, {show.ago(run['due_at'])}"
