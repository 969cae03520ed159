"""No call of the API sends more statements because there is more: the services count them, with few and with many."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import aiohttp

from kernel import ids
from kernel.authority import Role
from kernel.events import DeploymentRequested
from proto.projects.v1 import projects_pb2
from tests.integration.control.driver import Driver, Plane
from tests.integration.control.security.world import HOOK_URL, account

COUNTED = re.compile(r"^shipoff_database_statements_total (\S+)$", re.MULTILINE)
SERVICES = ("auth", "projects", "orchestrator", "logsink")
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
    Call("GET", "/v1/projects/{project}/domains"),
    Call("GET", "/v1/projects/{project}/hooks"),
    Call("GET", "/v1/projects/{project}/logs?tail=20"),
    Call("GET", "/v1/projects/{project}/members"),
    Call("GET", "/v1/projects/{project}/tokens"),
    Call("GET", "/v1/teams"),
    Call("GET", "/v1/teams/{team}/members"),
    Call("GET", "/v1/teams/{team}/invitations"),
    Call("GET", "/v1/teams/{team}/hooks"),
    Call("GET", "/v1/teams/{team}/audit"),
    Call("GET", "/v1/teams/{team}/limits"),
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
        async with driver.http.request(call.method, call.path.format(**places), json=call.body) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
        after = await counted(plane)
        seen.append({name: after[name] - before[name] for name in SERVICES})
    return {name: min(one[name] for one in seen) for name in SERVICES}


async def filled(plane: Plane, driver: Driver, count: int) -> dict[str, str]:
    """A team and a project with so many of everything."""
    slug = f"q{ids.new('tem')[-16:]}"
    team = (await driver.call("POST", "/v1/teams", {"name": "Count", "slug": slug}, 201))["id"]
    env = {f"NAME_{number}": "x" for number in range(count)}
    project = (await driver.project(env=env, team=team))["id"]
    deployment = ""
    for number in range(count):
        deployment = (await driver.projects.CreateDeployment(wanted(project, number))).id
        event = DeploymentRequested(deployment, project, "production")
        await driver.log(event, *(f"line {number}.{line}" for line in range(5)))
        account_id, _ = await account(plane, team, Role.VIEWER)
        at = f"/v1/projects/{project}"
        await driver.call("POST", f"{at}/members", {"account": account_id, "role": "VIEWER"}, 201)
        await driver.call("POST", f"{at}/tokens", {"name": f"t{number}", "role": "VIEWER"}, 201)
        await driver.call("POST", f"{at}/domains", {"name": f"d{number}-{slug}.test"}, 201)
        invited = {"email": f"{number}-{slug}@example.org", "role": "VIEWER"}
        await driver.call("POST", f"/v1/teams/{team}/invitations", invited, 201)
        for owner in (at, f"/v1/teams/{team}"):
            await driver.call("POST", f"{owner}/hooks", {"kind": "webhook", "target": HOOK_URL}, 201)
    return {"project": project, "deployment": deployment, "team": team}


def wanted(project_id: str, number: int) -> projects_pb2.CreateDeploymentRequest:
    return projects_pb2.CreateDeploymentRequest(
        deployment_id=ids.new("dep"),
        project_id=project_id,
        environment=f"preview/b{number % 8}" if number % 2 else "production",
        commit="a" * 40,
        ref="refs/deployments/x",
    )


async def test_statements_do_not_grow_with_what_there_is(plane: Plane, driver: Driver) -> None:
    few = await filled(plane, driver, 1)
    little = [(call, await spent(plane, driver, call, few)) for call in CALLS]
    for _ in range(MANY):
        await driver.project()
    many = await filled(plane, driver, MANY)
    for call, before in little:
        slack = 0 if call.method == "GET" else RELAY
        most = {name: before[name] + slack for name in SERVICES}
        after = await spent(plane, driver, call, many)
        for _ in range(4):  # what the services do by themselves may come in between each time
            if within(after, most):
                break
            after = await spent(plane, driver, call, many)
        print(f"{call.method} {call.path}: {after}")
        assert within(after, most), call
        assert sum(after.values()) <= 20


def within(found: dict[str, float], most: dict[str, float]) -> bool:
    return all(found[name] <= most[name] for name in SERVICES)
