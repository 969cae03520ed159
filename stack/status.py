"""What is known about a stack: written by `shipoff up` on every change, read and checked by everybody else."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import orjson

from kernel.errors import ShipoffError, define
from stack.files import write_private
from stack.memory import measure
from stack.services import ask_readyz
from stack.state import State
from stack.supervisor import Supervised

STACK_STOPPED = define(
    "STACK_STOPPED", source="client", status=409, hint="start it with `shipoff up`, or name its --dir"
)


@dataclass(slots=True)
class StatusFile:
    """The writing side.

    Attributes:
        state: whose file it is.
        pid: of `shipoff up`.
        phase: starting, ready, degraded (a unit was given up), failed, stopping.
        urls: of gateway and router.
        apps_url: template of a project's address.
        projects_address: where projects can be listed.
        auth_address: where tokens are made.
        units: by name.
        admins: admin doors by unit.
    """

    state: State
    pid: int
    phase: str = "starting"
    urls: dict[str, str] = field(default_factory=dict)
    apps_url: str = ""
    projects_address: str = ""
    auth_address: str = ""
    units: dict[str, Supervised] = field(default_factory=dict)
    admins: dict[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """Replaces the file."""
        rows = [
            {"name": unit.name, "pid": unit.pid, "state": unit.state, "restarts": unit.restarts, "exit": unit.last_exit}
            for unit in self.units.values()
        ]
        content = {
            "pid": self.pid,
            "phase": self.phase,
            "urls": self.urls,
            "apps_url": self.apps_url,
            "projects_address": self.projects_address,
            "auth_address": self.auth_address,
            "admins": self.admins,
            "services": rows,
        }
        write_private(self.state.status, json.dumps(content, indent=1))


async def read(state: State) -> dict[str, Any]:
    """The status of a stack as `shipoff status --json` prints it.

    Every service that should be ready is asked now; one that does not say so is "unready".
    """
    try:
        content: dict[str, Any] = orjson.loads(state.status.read_bytes())
    except (FileNotFoundError, ValueError):
        content = {"services": [], "urls": {}, "admins": {}}
    owner = state.owner()
    services = [dict(row) for row in content["services"]]
    if owner is None or owner != content.get("pid"):
        for row in services:
            row |= {"pid": None, "state": "stopped"}
        urls = {**content["urls"], "projects": {}}
        phase = "stopped" if owner is None else "starting"
        return {"state": phase, "dir": str(state.directory), "pid": owner, "services": services, "urls": urls}
    await _ask(services, content["admins"])
    projects = await _projects(state, content)
    pids = {row["name"]: row["pid"] for row in services if row["pid"]}
    return {
        "state": content["phase"],
        "dir": str(state.directory),
        "pid": owner,
        "services": services,
        "urls": {**content["urls"], "projects": projects},
        "memory": measure(owner, pids),
    }


def auth_address(state: State) -> str:
    """Where a running stack's auth service listens.

    Raises:
        ShipoffError: STACK_STOPPED.
    """
    if state.owner() is not None:
        try:
            return str(orjson.loads(state.status.read_bytes())["auth_address"])
        except (FileNotFoundError, ValueError, KeyError):
            pass
    raise STACK_STOPPED(f"no stack runs in {state.directory}")


def redis_url(state: State) -> str:
    """A running stack's Redis.

    Raises:
        ShipoffError: STACK_STOPPED.
    """
    if state.owner() is None:
        raise STACK_STOPPED(f"no stack runs in {state.directory}")
    from stack.servers.valkey import Valkey
    from stack.settings import resolve

    given = resolve(state.directory, {}).redis_url
    return given or Valkey(state.directory / "valkey", state.run_dir(), state.secrets()["valkey"]).url


async def _ask(services: list[dict[str, Any]], admins: dict[str, str]) -> None:
    asked = [row for row in services if row["state"] == "ready" and row["name"] in admins]
    answers = await asyncio.gather(*(ask_readyz(admins[row["name"]]) for row in asked))
    for row, missing in zip(asked, answers, strict=True):
        if missing:
            row |= {"state": "unready", "missing": missing}


async def _projects(state: State, content: dict[str, Any]) -> dict[str, str]:
    """The address of every project that serves; none when the service that knows is away."""
    if content["phase"] not in ("ready", "degraded"):
        return {}
    from kernel.rpc import RpcClient
    from proto.projects.v1.projects_pb2 import ListProjectsRequest
    from proto.projects.v1.projects_pb2_grpc import ProjectsStub

    client = RpcClient(content["projects_address"], state.secrets()["service_token"])
    try:
        answer = await client.stub(ProjectsStub).ListProjects(ListProjectsRequest(), timeout=2.0)
    except ShipoffError:
        return {}
    finally:
        await client.close()
    return {
        project.name: content["apps_url"].format(project=project.name)
        for project in answer.projects
        if project.live_deployment_id
    }
