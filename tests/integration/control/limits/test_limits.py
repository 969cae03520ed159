"""Limits of a team's plan on a real database: kept by many at once, and told clearly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.domains.claim import Claim
from control.projects.domains.records import AppsUrl
from control.projects.domains.service import DomainRules, Domains, Wish
from control.projects.limits.plans import PLANS
from control.projects.limits.server import LimitsServer
from control.projects.server import ProjectsServer
from kernel import ids
from kernel.authority import Kind, Principal, acting_as
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.events import AuditRecorded, DeploymentRequested, DeploymentStateChanged, Envelope, decode
from proto.projects.v1 import limits_pb2, projects_pb2

NO_CONTEXT: Any = None
TEAM = "tem_" + "a" * 32
OTHER = "tem_" + "b" * 32


@pytest.fixture
def limits(server: ProjectsServer, database: Database) -> LimitsServer:
    return LimitsServer(database)


async def give(limits: LimitsServer, plan: str = "unlimited", team: str = TEAM, **overrides: int) -> None:
    request = limits_pb2.SetPlanRequest(team_id=team, plan=plan, overrides=overrides)
    await limits.SetPlan(request, NO_CONTEXT)


async def used(limits: LimitsServer, team: str = TEAM) -> dict[str, tuple[int, int]]:
    found = await limits.GetLimits(limits_pb2.GetLimitsRequest(team_id=team), NO_CONTEXT)
    return {one.name: (one.limit, one.used) for one in found.limits}


async def project(server: ProjectsServer, name: str = "", team: str = TEAM) -> projects_pb2.Project:
    request = projects_pb2.CreateProjectRequest(name=name or f"p{ids.new('prj')[-12:]}", team_id=team)
    return await server.CreateProject(request, NO_CONTEXT)


async def deploy(server: ProjectsServer, project_id: str, **fields: str) -> projects_pb2.Deployment:
    values = {"commit": "a" * 40, "ref": "refs/heads/main", **fields}
    request = projects_pb2.CreateDeploymentRequest(deployment_id=ids.new("dep"), project_id=project_id, **values)
    return await server.CreateDeployment(request, NO_CONTEXT)


async def refused(work: Awaitable[Any]) -> ShipoffError:
    with pytest.raises(ShipoffError) as raised:
        await work
    return raised.value


async def report(database: Database, one: projects_pb2.Deployment, state: str, at: datetime, **said: Any) -> None:
    data = DeploymentStateChanged(one.id, one.project_id, one.environment, state, **said)
    await Lifecycle(database).apply(Envelope(data=data, key="k", at=at.isoformat()))


async def test_of_20_projects_made_at_once_3_get_in(server: ProjectsServer, limits: LimitsServer) -> None:
    await give(limits, projects=3)
    made = await asyncio.gather(*(project(server) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(one, projects_pb2.Project) for one in made) == 3
    errors = [one for one in made if isinstance(one, ShipoffError)]
    assert {one.code for one in errors} == {"LIMIT_PROJECTS"}
    assert (await used(limits))["projects"] == (3, 3)
    error = errors[0]
    assert (error.status, error.detail) == (402, "the plan unlimited gives 3 projects, and 3 are used")
    assert "delete a project" in error.hint
    await project(server, team=OTHER)  # another team's


async def test_a_deleted_project_makes_room_and_a_transfer_needs_some(
    server: ProjectsServer, limits: LimitsServer
) -> None:
    await give(limits, projects=1)
    first = await project(server)
    theirs = await project(server, team=OTHER)
    transfer = projects_pb2.TransferProjectRequest(project_id=theirs.id, team_id=TEAM)
    assert (await refused(server.TransferProject(transfer, NO_CONTEXT))).code == "LIMIT_PROJECTS"
    await server.DeleteProject(projects_pb2.DeleteProjectRequest(project_id=first.id), NO_CONTEXT)
    assert (await server.TransferProject(transfer, NO_CONTEXT)).team_id == TEAM


async def test_domains_are_limited_for_all_projects_together(
    server: ProjectsServer, limits: LimitsServer, database: Database
) -> None:
    await give(limits, domains=3)
    projects = [await project(server) for _ in range(4)]

    domains = Domains(database, DomainRules(AppsUrl("http://{project}.apps.test"), ("platform.test",), 100))
    wished = [domains.add(one.id, f"{ids.new('dom')[-12:]}.example.org", Wish()) for one in projects for _ in range(3)]
    ends = await asyncio.gather(*wished, return_exceptions=True)
    assert sum(isinstance(one, Claim) for one in ends) == 3
    assert {one.code for one in ends if isinstance(one, ShipoffError)} == {"LIMIT_DOMAINS"}
    assert (await used(limits))["domains"] == (3, 3)


async def test_previews_are_limited_per_project(server: ProjectsServer, limits: LimitsServer) -> None:
    await give(limits, previews=1)
    one, other = await project(server), await project(server)
    await deploy(server, one.id, environment="preview/a")
    await deploy(server, one.id, environment="preview/a")  # prolongs it
    assert (await refused(deploy(server, one.id, environment="preview/b"))).code == "LIMIT_PREVIEWS"
    await deploy(server, other.id, environment="preview/b")
    assert (await used(limits))["previews"] == (1, 1)


async def test_build_minutes_are_counted_told_and_then_refused(
    server: ProjectsServer, limits: LimitsServer, database: Database
) -> None:
    await give(limits, build_minutes=10)
    one = await project(server)
    now = datetime.now(UTC)
    for timings, state, minutes in (
        ({"queue": 900_000, "fetch": 60_000, "build": 240_000, "build.install": 100_000}, "FAILED", 5),
        ({}, "CANCELED", 8),  # ended from outside after three minutes
        ({"build": 180_000}, "PROVISIONING", 11),
    ):
        made = await deploy(server, one.id)
        await report(database, made, "BUILDING", now)
        await report(database, made, "BUILDING", now + timedelta(minutes=1), stage="build")
        await report(database, made, state, now + timedelta(minutes=3), timings_ms=timings)
        assert (await used(limits))["build_minutes"] == (10, minutes)
    error = await refused(deploy(server, one.id))
    assert (error.code, error.detail) == (
        "LIMIT_BUILD_MINUTES",
        "the plan unlimited gives 10 build minutes a month, and 11 are used",
    )
    marks = await database.fetch("select name, percent, detail from usage_marks order by percent")
    assert [(row["name"], row["percent"]) for row in marks] == [("build_minutes", 80), ("build_minutes", 100)]
    await database.execute("update build_usage set month = month - interval '1 month'")
    await deploy(server, one.id)  # the next month


async def test_what_builds_nothing_is_let_in_though_everything_is_used_up(
    server: ProjectsServer, limits: LimitsServer, database: Database
) -> None:
    one = await project(server)
    live = await deploy(server, one.id)
    now = datetime.now(UTC)
    await report(database, live, "BUILDING", now)
    await report(database, live, "PROVISIONING", now, release_id="rel_1", timings_ms={"build": 600_000})
    await report(database, live, "LIVE", now, url="https://x.example")
    await give(limits, build_minutes=1, requests=0, bandwidth_mb=0)
    assert (await refused(deploy(server, one.id))).code == "LIMIT_BUILD_MINUTES"
    await give(limits, requests=0)
    assert (await refused(deploy(server, one.id))).code == "LIMIT_REQUESTS"
    await deploy(server, one.id, kind="rollback", release_id="rel_1", commit="", ref="")
    await deploy(server, one.id, kind="config", commit="", ref="")


async def test_a_repeated_report_counts_once(server: ProjectsServer, limits: LimitsServer, database: Database) -> None:
    await give(limits, build_minutes=100)
    made, now = await deploy(server, (await project(server)).id), datetime.now(UTC)
    data = DeploymentStateChanged(made.id, made.project_id, "production", "FAILED", timings_ms={"build": 120_000})
    await report(database, made, "BUILDING", now)
    for envelope in (same := Envelope(data=data, key="k"), same, Envelope(data=data, key="k")):
        await Lifecycle(database).apply(envelope)
    assert (await used(limits))["build_minutes"] == (100, 2)


async def test_the_orchestrator_is_told_what_the_plan_gives(
    server: ProjectsServer, limits: LimitsServer, database: Database
) -> None:
    await give(limits, "hobby", builds=2)
    await deploy(server, (await project(server)).id)
    rows = await database.fetch("select envelope from outbox where stream = 'deployments'")
    event = decode(rows[-1]["envelope"]).data
    assert isinstance(event, DeploymentRequested)
    assert event.limits == {"builds": 2, "instances": 2, "instances_total": 10, "memory_mb": 512, "cpu_millis": 1000}


async def test_members_read_limits_and_only_the_platform_sets_them(limits: LimitsServer, database: Database) -> None:
    await give(limits, "pro", projects=7)
    viewer = Principal(Kind.SESSION, account_id="acc_b", teams={TEAM: "VIEWER"})
    owner = Principal(Kind.SESSION, account_id="acc_c", teams={TEAM: "OWNER"})
    with acting_as(viewer):
        found = await limits.GetLimits(limits_pb2.GetLimitsRequest(team_id=TEAM), NO_CONTEXT)
        assert (found.plan, dict(found.overrides)) == ("pro", {"projects": 7})
        assert found.resets_at_ms > datetime.now(UTC).timestamp() * 1000
        shown = {one.name: (one.limit, one.used) for one in found.limits}
        assert shown["projects"] == (7, 0)
        assert shown["memory_mb"] == (PLANS["pro"].memory_mb, -1)
        unknown = limits_pb2.GetLimitsRequest(team_id=OTHER)
        assert (await refused(limits.GetLimits(unknown, NO_CONTEXT))).code == "TEAM_NOT_FOUND"
    with acting_as(owner):
        assert (await refused(give(limits, "pro"))).code in ("PERMISSION_DENIED", "FORBIDDEN")
    assert (await refused(give(limits, "gold"))).code == "PLAN_UNKNOWN"
    assert (await refused(give(limits, "pro", cars=1))).code == "LIMIT_UNKNOWN"
    rows = await database.fetch("select envelope from outbox where stream = 'audit'")
    records = [one for row in rows if isinstance(one := decode(row["envelope"]).data, AuditRecorded)]
    assert [(one.action, one.before["plan"], one.after["plan"]) for one in records] == [
        ("team.plan", "unlimited", "pro")
    ]
