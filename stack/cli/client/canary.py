"""`shipoff canary`: a release gets part of the requests first, and all of them when it does no worse."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from stack.cli.client import link, show
from stack.cli.client.api import Api
from stack.cli.client.failures import Exit, Failure, reported
from stack.cli.client.options import Project
from stack.cli.client.releases import Environment, Json, finish

Deployment = Annotated[str, typer.Argument(help="dep_…; default: the newest canary.")]
COOKIE: Final = "shipoff-release"


@reported
def start(
    release: Annotated[str, typer.Argument(help="rel_…, dep_…, or an environment such as preview/BRANCH.")],
    steps: Annotated[str, typer.Option(help="Per cent of the requests, step by step.")] = "5,25,50",
    step_s: Annotated[float, typer.Option(help="Seconds that a step lasts.")] = 60.0,
    sticky: Annotated[bool, typer.Option(help="A client stays with the release that it got first.")] = False,
    header: Annotated[str, typer.Option(help="Requests choose a release by its id in this header.")] = "",
    project: Project = None,
    environment: Environment = "production",
    as_json: Json = False,
) -> None:
    """Tries a release that is there already, and waits for how it ends."""
    canary = plan(steps, step_s, sticky=sticky, header=header)
    body = {"kind": "promote", "release": release, "environment": environment, "canary": canary}
    finish(Api(), link.project(project), body, as_json=as_json)


@reported
def promote(deployment: Deployment = "", project: Project = None) -> None:
    """Gives the canary all requests now."""
    _steer(link.project(project), deployment, "promote")


@reported
def abort(deployment: Deployment = "", project: Project = None) -> None:
    """Gives all requests back to what served before."""
    _steer(link.project(project), deployment, "abort")


@reported
def status(deployment: Deployment = "", project: Project = None, as_json: Json = False) -> None:
    """Shows how a canary stands: what the routers measured of both releases at each step."""
    found = _found(Api(), link.project(project), deployment)
    if as_json:
        show.as_json(found)
        return
    canary = found["canary"]
    now = f", now at {canary['weight']} %" if "weight" in canary else ""
    print(f"{found['id']} is {found['state']}{now}")
    rows = [
        [f"{one['weight']} %", one["outcome"], _side(one["base"]), _side(one["canary"]), "; ".join(one["reasons"])]
        for one in canary.get("report", [])
    ]
    show.table(["AT", "OUTCOME", "BEFORE", "CANARY", "WHY"], rows, "no step has ended yet")


def plan(steps: str, step_s: float, *, sticky: bool = False, header: str = "") -> dict[str, Any]:
    """The plan of a canary as the API takes it."""
    try:
        shares = [int(step) for step in steps.split(",")]
    except ValueError:
        raise Failure("STEPS_INVALID", f"{steps!r} are no steps", "e.g. 5,25,50", Exit.USAGE) from None
    return {"steps": shares, "step_s": step_s, "cookie": COOKIE if sticky else "", "header": header}


def _steer(project: str, deployment: str, order: str) -> None:
    api = Api()
    found = _found(api, project, deployment)
    api.post("projects", project, "deployments", found["id"], "canary", body={"order": order})
    print(f"{found['id']}: {order} is on its way")


def _found(api: Api, project: str, deployment: str) -> dict[str, Any]:
    """The deployment that is meant, with its report."""
    recent = [] if deployment else api.get("projects", project, "deployments", limit=20)["deployments"]
    for one in [deployment] if deployment else [one["id"] for one in recent]:
        found: dict[str, Any] = api.get("projects", project, "deployments", one)
        if found["canary"]:
            return found
    raise Failure("CANARY_NOT_FOUND", "no recent deployment is a canary", "shipoff canary start", Exit.NOT_FOUND)


def _side(measured: dict[str, Any]) -> str:
    return f"{measured['requests']} requests, {measured['errors']} failed, p95 {measured['p95_ms']:.0f} ms"
