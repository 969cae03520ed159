"""`shipoff releases | rollback | promote | redeploy`: what was there before, as it was or built again."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Project

Environment = Annotated[str, typer.Option("--environment", "-e", help="Where.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; progress goes to stderr.")]


@reported
def list_releases(
    project: Project = None,
    environment: Annotated[str, typer.Option("--environment", "-e", help="Only of this one.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Lists the releases that can be brought back, newest first; a warm one is back at once."""
    found = Api().get("projects", link.project(project), "releases", environment=environment)
    if as_json:
        show.as_json(found)
        return
    rows = [
        [one["id"], one["environment"], one["kind"], _state(one), one["deployment_id"], show.ago(one["created_at"])]
        for one in found["releases"]
    ]
    columns = ["RELEASE", "ENVIRONMENT", "KIND", "STATE", "MADE BY", "AGE"]
    show.table(columns, rows, "nothing has been live yet: shipoff deploy")


@reported
def rollback(
    release: Annotated[str, typer.Argument(help="rel_… or dep_…; default: what served before.")] = "",
    project: Project = None,
    environment: Environment = "production",
    as_json: Json = False,
) -> None:
    """Brings an earlier release back, its code and its variables, without a build."""
    body = {"kind": "rollback", "release": release, "environment": environment}
    finish(Api(), link.project(project), body, as_json=as_json)


@reported
def promote(
    release: Annotated[str, typer.Argument(help="rel_…, dep_…, or an environment such as preview/BRANCH.")],
    project: Project = None,
    environment: Environment = "production",
    as_json: Json = False,
) -> None:
    """Brings a release of any environment to production without a build, with production's variables."""
    body = {"kind": "promote", "release": release, "environment": environment}
    finish(Api(), link.project(project), body, as_json=as_json)


@reported
def redeploy(
    deployment: Annotated[str, typer.Argument(help="dep_…; default: the newest of the environment.")] = "",
    project: Project = None,
    environment: Environment = "production",
    as_json: Json = False,
) -> None:
    """Builds the commit of an earlier deployment again, with the settings and variables of now."""
    api, name = Api(), link.project(project)
    wanted = deployment or _newest(api, name, environment)
    made = api.post("projects", name, "deployments", wanted, "redeploy", body={})
    _see(api, name, made["id"], as_json=as_json)


def _newest(api: Api, project: str, environment: str) -> str:
    found = api.get("projects", project, "deployments", environment=environment, limit=1)["deployments"]
    if not found:
        hint = "deploy something first: shipoff deploy"
        raise Failure("NOTHING_DEPLOYED", f"nothing was deployed to {environment}", hint, Exit.NOT_FOUND)
    return str(found[0]["id"])


def finish(api: Api, project: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Asks for a deployment and follows it to its end; exits with 1 when it fails."""
    _see(api, project, api.post("projects", project, "deployments", body=body)["id"], as_json=as_json)


def _see(api: Api, project: str, deployment_id: str, *, as_json: bool) -> None:
    live = follow(api, project, deployment_id, stream=sys.stderr if as_json else sys.stdout)
    if as_json:
        show.as_json(api.get("projects", project, "deployments", deployment_id))
    if not live:
        sys.exit(Exit.FAILED)


def follow(api: Api, project: str, deployment_id: str, stream: Any = sys.stdout) -> bool:
    """Prints the steps of a deployment until it is answered; whether it went live."""
    step: dict[str, Any] = {}
    for step in api.lines("projects", project, "deployments", deployment_id, "events"):
        print(_told(step), file=stream, flush=True)
    if not step.get("answered"):
        hint = f"shipoff deployments {project}"
        raise Failure("OUT_OF_SIGHT", "the platform went away; the deployment goes on", hint, Exit.UNREACHABLE)
    return step["state"] in ("LIVE", "INACTIVE")  # INACTIVE was live, and something newer is by now


def _told(step: dict[str, Any]) -> str:
    if failure := step["failure"]:
        told = f"FAILED in stage {failure['stage']}: {failure['detail'] or failure['reason']} [{failure['reason']}]"
        return told + (f"\n  what to do  {failure['hint']}" if failure["hint"] else "")
    return f"live at {step['url']}" if step["state"] == "LIVE" else f"-> {step['state'].lower()}"


def _state(release: dict[str, Any]) -> str:
    return "live" if release["live"] else "warm" if release["warm"] else "kept"


def follow_change(api: Api, project: str, made: str | None, done: str) -> None:
    """Says what a change of settings has done, and follows the deployment that brings it live, if there is one."""
    if made is None:
        print(f"{done}; the next deployment has it: shipoff deploy")
        return
    print(f"{done}; deployment {made} brings it live")
    if not follow(api, project, made):
        sys.exit(Exit.FAILED)
