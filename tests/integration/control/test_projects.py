"""The projects domain on a real database: rows and events together, each event once and only forward."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.env.server import EnvServer
from control.projects.server import ProjectsServer
from kernel import ids
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.events import DeploymentRequested, DeploymentStateChanged, Envelope, decode
from proto.projects.v1 import env_pb2 as env_pb
from proto.projects.v1 import projects_pb2 as pb

NO_CONTEXT: Any = None


async def make(server: ProjectsServer, **env: str) -> pb.Project:
    return await server.CreateProject(pb.CreateProjectRequest(name="blog", team_id="tem_a", env=env), NO_CONTEXT)


def request(project: pb.Project, **fields: str) -> pb.CreateDeploymentRequest:
    values = {"deployment_id": ids.new("dep"), "commit": "a" * 40, "ref": "refs/deployments/x", **fields}
    return pb.CreateDeploymentRequest(project_id=project.id, **values)


async def states(server: ProjectsServer, *deployments: str) -> list[str]:
    found = [await server.GetDeployment(pb.GetDeploymentRequest(deployment_id=one), NO_CONTEXT) for one in deployments]
    return [one.state for one in found]


def change(deployment: pb.Deployment, state: str, **fields: Any) -> Envelope:
    data = DeploymentStateChanged(deployment.id, deployment.project_id, deployment.environment, state, **fields)
    return Envelope(data=data, key=f"{deployment.project_id}/production")


async def test_a_deployment_and_its_event_commit_together_and_once(server: ProjectsServer, database: Database) -> None:
    project = await make(server)
    wanted = request(project, message="First line\n\nmore")
    made = await asyncio.gather(*(server.CreateDeployment(wanted, NO_CONTEXT) for _ in range(5)))
    assert {(one.id, one.state, one.message) for one in made} == {(wanted.deployment_id, "QUEUED", "First line")}
    rows = await database.fetch("select stream, envelope from outbox where stream <> 'audit'")
    assert [row["stream"] for row in rows] == ["deployments"]
    envelope = decode(rows[0]["envelope"])
    assert envelope.data == DeploymentRequested(
        wanted.deployment_id, project.id, "production", project.team_id, ordinal=1
    )
    assert envelope.key == f"{project.id}/production"


async def test_a_refused_deployment_leaves_neither_row_nor_event(server: ProjectsServer, database: Database) -> None:
    project = await make(server)
    await server.CreateDeployment(wanted := request(project), NO_CONTEXT)
    wanted.commit = "b" * 40
    cases = {
        "DEPLOYMENT_ID_TAKEN": wanted,
        "PROJECT_NOT_FOUND": request(pb.Project(id="prj_x")),
    }
    for code, bad in cases.items():
        with pytest.raises(ShipoffError, match=code):
            await server.CreateDeployment(bad, NO_CONTEXT)
    for fields in ({"deployment_id": "x"}, {"commit": "HEAD"}, {"ref": "../x"}, {"environment": "staging"}):
        with pytest.raises(ShipoffError, match="DEPLOYMENT_INVALID"):
            await server.CreateDeployment(request(project, **fields), NO_CONTEXT)
    assert await database.fetchval("select count(*) from deployments") == 1
    assert await database.fetchval("select count(*) from outbox where stream <> 'audit'") == 1


async def test_events_move_a_deployment_forward_and_never_back(server: ProjectsServer, database: Database) -> None:
    project, lifecycle = await make(server), Lifecycle(database)
    one = await server.CreateDeployment(request(project), NO_CONTEXT)
    building = change(one, "BUILDING", stage="fetch")
    await lifecycle.apply(building)
    await lifecycle.apply(change(one, "BUILDING", stage="build", timings_ms={"fetch": 5}))
    await lifecycle.apply(building)  # delivered again: the stage stays
    shown = await server.GetDeployment(pb.GetDeploymentRequest(deployment_id=one.id), NO_CONTEXT)
    assert (shown.state, shown.stage, dict(shown.timings_ms)) == ("BUILDING", "build", {"fetch": 5})
    await lifecycle.apply(change(one, "PROVISIONING"))
    live = change(one, "LIVE", url="http://blog.localhost:8080", release_id="rel_1", timings_ms={"build": 7})
    await lifecycle.apply(live)
    await lifecycle.apply(change(one, "FAILED", reason="LATE"))
    shown = await server.GetDeployment(pb.GetDeploymentRequest(deployment_id=one.id), NO_CONTEXT)
    assert (shown.state, shown.reason, shown.url, shown.release_id) == (
        "LIVE",
        "",
        "http://blog.localhost:8080",
        "rel_1",
    )
    assert dict(shown.timings_ms) == {"fetch": 5, "build": 7}


async def test_the_project_knows_what_is_live(server: ProjectsServer, database: Database) -> None:
    project, lifecycle = await make(server), Lifecycle(database)
    one = await server.CreateDeployment(request(project), NO_CONTEXT)
    two = await server.CreateDeployment(request(project), NO_CONTEXT)

    async def live() -> str:
        return (await server.GetProject(pb.GetProjectRequest(project="blog"), NO_CONTEXT)).live_deployment_id

    first = [change(one, state) for state in ("BUILDING", "PROVISIONING", "LIVE")]
    for envelope in first:
        await lifecycle.apply(envelope)
    assert await live() == one.id
    for envelope in (
        change(two, "BUILDING"),
        change(two, "PROVISIONING"),
        change(one, "INACTIVE"),
        change(two, "LIVE"),
    ):
        await lifecycle.apply(envelope)
    await lifecycle.apply(first[-1])  # the old LIVE, delivered again after its time
    assert await live() == two.id
    assert await states(server, one.id, two.id) == ["INACTIVE", "LIVE"]
    await lifecycle.apply(change(two, "INACTIVE"))
    assert await live() == ""


async def test_a_state_that_nobody_knows_is_refused(server: ProjectsServer, database: Database) -> None:
    made = await server.CreateDeployment(request(await make(server)), NO_CONTEXT)
    with pytest.raises(ShipoffError, match="STATE_UNKNOWN"):
        await Lifecycle(database).apply(change(made, "SIDEWAYS"))
    assert await states(server, made.id) == ["QUEUED"]


async def test_env_rests_sealed_and_bound_to_its_place(
    server: ProjectsServer, env_server: EnvServer, database: Database
) -> None:
    project = await make(server, SECRET="hunter2-hunter2", OTHER="x")
    made = await server.CreateDeployment(request(project), NO_CONTEXT)
    spec = await server.GetDeploymentSpec(pb.GetDeploymentRequest(deployment_id=made.id), NO_CONTEXT)
    assert dict(spec.env) == {"SECRET": "hunter2-hunter2", "OTHER": "x"}
    assert spec.project.name == "blog"
    rows = await database.fetch("select * from env_vars")
    assert b"hunter2" not in b"".join(row["sealed"] for row in rows)
    await database.execute("update env_vars set sealed = (select sealed from env_vars where name = 'OTHER')")
    with pytest.raises(ShipoffError, match="SEAL_BROKEN"):
        await env_server.ListEnv(env_pb.ListEnvRequest(project_id=project.id), NO_CONTEXT)


async def test_a_variable_goes_to_builds_or_to_what_runs_or_to_both(
    server: ProjectsServer, env_server: EnvServer
) -> None:
    project = await make(server, BOTH="1", LATER="1")
    for name, scope in (("NPM_TOKEN", "build"), ("DATABASE_URL", "run"), ("LATER", "run")):
        await env_server.SetEnv(env_pb.SetEnvRequest(project_id=project.id, set={name: "x"}, scope=scope), NO_CONTEXT)
    await env_server.SetEnv(env_pb.SetEnvRequest(project_id=project.id, set={"LATER": "y"}), NO_CONTEXT)
    made = await server.CreateDeployment(request(project), NO_CONTEXT)
    spec = await server.GetDeploymentSpec(pb.GetDeploymentRequest(deployment_id=made.id), NO_CONTEXT)
    assert dict(spec.build_env) == {"BOTH": "1", "NPM_TOKEN": "x"}
    assert dict(spec.env) == {"BOTH": "1", "DATABASE_URL": "x", "LATER": "y"}, "without a scope it keeps its own"
    with pytest.raises(ShipoffError, match="ENV_SCOPE_INVALID"):
        await env_server.SetEnv(env_pb.SetEnvRequest(project_id=project.id, set={"A": "x"}, scope="boot"), NO_CONTEXT)


async def test_a_project_with_bad_env_is_not_made(server: ProjectsServer) -> None:
    with pytest.raises(ShipoffError, match="listen on"):
        await make(server, PORT="80")
    assert len((await server.ListProjects(pb.ListProjectsRequest(), NO_CONTEXT)).projects) == 0
