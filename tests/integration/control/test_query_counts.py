"""No call of the API sends more statements because there is more: the services count them, with few and with many."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import aiohttp

from kernel import ids
from proto.projects.v1 import projects_pb2
from tests.integration.control.driver import Driver, Plane

COUNTED = re.compile(r"^shipoff_database_statements_total (\S+)$", re.MULTILINE)
SERVICES = ("auth", "projects", "orchestrator")
MANY = 12
RELAY = 4  # statements with which the outbox of a change is sent, whenever that is


@dataclass(frozen=True)
class Call:
    """One call; `{project}` in its path is a project with little or with much."""

    method: str
    path: str
    body: Any = None


CALLS = [
    Call("GET", "/v1/me"),
    Call("GET", "/v1/projects"),
    Call("GET", "/v1/projects/{project}"),
    Call("GET", "/v1/projects/{project}/deployments"),
    Call("GET", "/v1/projects/{project}/deployments/{deployment}"),
    Call("GET", "/v1/projects/{project}/environments"),
    Call("GET", "/v1/projects/{project}/env"),
    Call("PUT", "/v1/projects/{project}/env", {"set": {"A": "2"}, "deploy": False}),
    Call("GET", "/v1/projects/{project}/releases"),
    Call("GET", "/v1/projects/{project}/processes"),
    Call("GET", "/v1/projects/{project}/previews"),
]


async def counted(plane: Plane) -> dict[str, float]:
    """Statements so far, by service, when nothing is under way."""
    found = {}
    async with aiohttp.ClientSession() as session:
        for name in SERVICES:
            async with session.get(f"http://127.0.0.1:{plane.ports[name + '.admin']}/metrics") as answer:
                match = COUNTED.search(await answer.text())
                found[name] = float(match[1]) if match else 0.0
    return found


async def spent(plane: Plane, driver: Driver, call: Call, places: dict[str, str]) -> dict[str, float]:
    """What one call costs: the least of several, because what services do by themselves comes in between."""
    seen = []
    for _ in range(6):
        before = await counted(plane)
        await driver.call(call.method, call.path.format(**places), call.body)
        after = await counted(plane)
        seen.append({name: after[name] - before[name] for name in SERVICES})
    return {name: min(one[name] for one in seen) for name in SERVICES}


async def filled(driver: Driver, count: int) -> dict[str, str]:
    """A project with so many of everything."""
    project = await driver.project(env={f"NAME_{number}": "x" for number in range(count)})
    deployment = ""
    for number in range(count):
        made = await driver.projects.CreateDeployment(
            projects_pb2.CreateDeploymentRequest(
                deployment_id=ids.new("dep"),
                project_id=project["id"],
                environment=f"preview/b{number % 8}" if number % 2 else "production",
                commit="a" * 40,
                ref="refs/deployments/x",
            )
        )
        deployment = made.id
    return {"project": project["id"], "deployment": deployment}


async def test_statements_do_not_grow_with_what_there_is(plane: Plane, driver: Driver) -> None:
    few = await filled(driver, 1)
    little = [(call, await spent(plane, driver, call, few)) for call in CALLS]
    for _ in range(MANY):
        await driver.project()
    many = await filled(driver, MANY)
    for call, before in little:
        after = await spent(plane, driver, call, many)
        print(f"{call.method} {call.path}: {after}")
        slack = 0 if call.method == "GET" else RELAY
        assert all(after[name] <= before[name] + slack for name in SERVICES), call
        assert sum(after.values()) <= 20
