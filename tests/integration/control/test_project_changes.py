"""Settings, names and teams of projects that are there; builds done again; lists of some deployments."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.server import ProjectsServer
from kernel import ids
from kernel.authority import Kind, Principal, Role, acting_as
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.events import AuditRecorded, DeploymentRequested, DeploymentStateChanged, Envelope, decode
from proto.projects.v1 import projects_pb2 as pb

NO_CONTEXT: Any = None
TEAM, OTHER = "tem_a", "tem_b"


@pytest.fixture
async def project(server: ProjectsServer) -> pb.Project:
    build = pb.BuildSettings(framework="flask", root_dir="web")
    return await server.CreateProject(pb.CreateProjectRequest(name="blog", team_id=TEAM, build=build), NO_CONTEXT)


async def update(server: ProjectsServer, project: pb.Project, **fields: Any) -> pb.Project:
    return await server.UpdateProject(pb.UpdateProjectRequest(project_id=project.id, **fields), NO_CONTEXT)


async def deploy(
    server: ProjectsServer, project: pb.Project, environment: str = "", letter: str = "a"
) -> pb.Deployment:
    wanted = pb.CreateDeploymentRequest(
        deployment_id=ids.new("dep"), project_id=project.id, environment=environment, commit=letter * 40,
        ref=f"refs/deployments/{letter}", message=f"commit {letter}", actor_id="acc_pusher",
    )  # fmt: skip
    return await server.CreateDeployment(wanted, NO_CONTEXT)


async def move(database: Database, deployment: pb.Deployment, *states: str) -> None:
    for state in states:
        change = DeploymentStateChanged(deployment.id, deployment.project_id, deployment.environment, state)
        await Lifecycle(database).apply(Envelope(data=change, key="k"))


async def code(wish: Any) -> str:
    with pytest.raises(ShipoffError) as caught:
        await wish
    return caught.value.code


async def audited(database: Database, action: str) -> list[AuditRecorded]:
    rows = await database.fetch("select envelope from outbox where stream = 'audit' order by position")
    found = [decode(row["envelope"]).data for row in rows]
    return [one for one in found if isinstance(one, AuditRecorded) and one.action == action]


async def test_what_is_said_changes_and_the_rest_stays(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    changed = await update(server, project, build_command="make", health_path="/up", production_branch="trunk")
    build = changed.build
    assert (build.framework, build.root_dir, build.build_command, build.health_path) == ("flask", "web", "make", "/up")
    assert (changed.production_branch, changed.version) == ("trunk", project.version + 1)
    cleared = await update(server, project, framework="auto", root_dir="")
    assert (cleared.build.framework, cleared.build.root_dir, cleared.build.build_command) == ("auto", "", "make")
    told = [(one.before, one.after) for one in await audited(database, "project.update")]
    assert told[1] == ({"framework": "flask", "root_dir": "web"}, {"framework": "", "root_dir": ""})


@pytest.mark.parametrize(
    "fields",
    [{"framework": "rails"}, {"root_dir": "../x"}, {"health_path": "up"}, {"production_branch": "a..b"}, {"name": ""}],
)
async def test_a_change_that_is_refused_changes_nothing(
    server: ProjectsServer, project: pb.Project, fields: dict[str, str]
) -> None:
    assert await code(update(server, project, build_command="make", **fields)) in (
        "BUILD_SETTINGS_INVALID", "PROJECT_NAME_INVALID",
    )  # fmt: skip
    assert await server.GetProject(pb.GetProjectRequest(project=project.id), NO_CONTEXT) == project


async def test_of_many_changes_for_one_version_one_is_made(server: ProjectsServer, project: pb.Project) -> None:
    async def change(number: int) -> str:
        try:
            await update(server, project, build_command=f"make {number}", expect_version=project.version)
        except ShipoffError as error:
            return error.code
        return "done"

    outcomes = await asyncio.gather(*(change(number) for number in range(8)))
    assert sorted(outcomes) == ["PROJECT_VERSION_CONFLICT"] * 7 + ["done"]
    now = await server.GetProject(pb.GetProjectRequest(project=project.id), NO_CONTEXT)
    assert (now.version, now.build.build_command) == (project.version + 1, f"make {outcomes.index('done')}")


async def test_rules_are_of_the_same_version(server: ProjectsServer, project: pb.Project) -> None:
    rules = pb.SetRulesRequest(
        project_id=project.id, rules='{"deny": ["192.0.2.0/24"]}', expect_version=project.version
    )
    told = await server.SetRules(rules, NO_CONTEXT)
    assert told.version == project.version + 1
    rules.rules = "{}"
    assert await code(server.SetRules(rules, NO_CONTEXT)) == "PROJECT_VERSION_CONFLICT"
    kept = await server.GetRules(pb.GetRulesRequest(project_id=project.id), NO_CONTEXT)
    assert (json.loads(kept.rules), kept.version) == ({"deny": ["192.0.2.0/24"]}, told.version)


async def test_a_project_is_renamed_until_it_is_served(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    await server.CreateProject(pb.CreateProjectRequest(name="shop", team_id=TEAM), NO_CONTEXT)
    assert await code(update(server, project, name="shop")) == "PROJECT_NAME_TAKEN"
    assert await code(update(server, project, name="www")) == "PROJECT_NAME_RESERVED"
    failed = await deploy(server, project)
    assert await code(update(server, project, name="log")) == "PROJECT_NAME_IN_USE", "it may be served at any moment"
    await move(database, failed, "FAILED")
    assert (await update(server, project, name="log")).name == "log"
    await move(database, await deploy(server, project), "BUILDING", "PROVISIONING", "LIVE")
    assert await code(update(server, project, name="blog")) == "PROJECT_NAME_IN_USE"
    assert (await update(server, project, name="log", build_command="make")).build.build_command == "make"


async def test_of_two_who_take_a_name_one_gets_it(server: ProjectsServer) -> None:
    made = [
        await server.CreateProject(pb.CreateProjectRequest(name=f"p{number}", team_id=TEAM), NO_CONTEXT)
        for number in range(4)
    ]

    async def rename(project: pb.Project) -> str:
        try:
            return (await update(server, project, name="wanted")).name
        except ShipoffError as error:
            return error.code

    outcomes = await asyncio.gather(*(rename(one) for one in made))
    assert sorted(outcomes) == ["PROJECT_NAME_TAKEN"] * 3 + ["wanted"]


async def test_a_project_goes_to_a_team_where_one_may_make_projects(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    def who(**teams: Role) -> Principal:
        return Principal(Kind.SESSION, account_id="acc_x", teams={f"tem_{name}": role for name, role in teams.items()})

    wanted = pb.TransferProjectRequest(project_id=project.id, team_id=OTHER)
    refused = [
        (who(a=Role.OWNER), "PERMISSION_DENIED"),
        (who(a=Role.OWNER, b=Role.VIEWER), "PERMISSION_DENIED"),
        (who(a=Role.ADMIN, b=Role.OWNER), "PERMISSION_DENIED"),
        (who(b=Role.OWNER), "PROJECT_NOT_FOUND"),
    ]
    for principal, expected in refused:
        with acting_as(principal):
            assert await code(server.TransferProject(wanted, NO_CONTEXT)) == expected
    with acting_as(who(a=Role.OWNER, b=Role.DEVELOPER)):
        moved = await server.TransferProject(wanted, NO_CONTEXT)
    assert (moved.team_id, moved.id, moved.version) == (OTHER, project.id, project.version + 1)
    assert [one.team_id for one in await audited(database, "project.transfer")] == [TEAM, OTHER]
    with acting_as(who(a=Role.OWNER)):
        assert (
            await code(server.GetProject(pb.GetProjectRequest(project=project.id), NO_CONTEXT)) == "PROJECT_NOT_FOUND"
        )


async def test_a_commit_is_built_again_where_it_was(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    first = await deploy(server, project, "preview/fix")
    await move(database, first, "FAILED")
    wanted = pb.RedeployRequest(deployment_id=ids.new("dep"), project_id=project.id, of=first.id, actor_id="acc_r")
    made = await asyncio.gather(*(server.Redeploy(wanted, NO_CONTEXT) for _ in range(3)))
    again = made[0]
    assert {one.id for one in made} == {wanted.deployment_id}, "the same id is the same deployment"
    assert (again.kind, again.environment, again.state) == ("build", "preview/fix", "QUEUED")
    assert (again.commit, again.ref, again.message) == (first.commit, first.ref, first.message)
    assert (again.redeploy_of, again.actor_id) == (first.id, "acc_r")
    rows = await database.fetch("select envelope from outbox where stream = 'deployments' order by position")
    events = [decode(row["envelope"]).data for row in rows]
    assert [one.deployment_id for one in events if isinstance(one, DeploymentRequested)] == [first.id, again.id]
    other = await server.CreateProject(pb.CreateProjectRequest(name="shop", team_id=TEAM), NO_CONTEXT)
    foreign = pb.RedeployRequest(deployment_id=ids.new("dep"), project_id=other.id, of=first.id)
    assert await code(server.Redeploy(foreign, NO_CONTEXT)) == "DEPLOYMENT_NOT_FOUND"


async def test_what_was_rolled_back_to_is_built_again_from_its_commit(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    first = await deploy(server, project)
    change = DeploymentStateChanged(first.id, project.id, "production", "BUILDING", release_id="rel_1")
    await Lifecycle(database).apply(Envelope(data=change, key="k"))
    back = await server.CreateDeployment(
        pb.CreateDeploymentRequest(
            deployment_id=ids.new("dep"), project_id=project.id, kind="rollback", release_id="rel_1"
        ),
        NO_CONTEXT,
    )
    wanted = pb.RedeployRequest(deployment_id=ids.new("dep"), project_id=project.id, of=back.id)
    again = await server.Redeploy(wanted, NO_CONTEXT)
    assert (again.kind, again.commit, again.ref) == ("build", first.commit, first.ref)


async def test_deployments_are_listed_by_what_they_are(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    made = [await deploy(server, project, environment) for environment in ("production", "preview/a", "production")]
    await move(database, made[0], "BUILDING", "PROVISIONING", "LIVE")
    await move(database, made[2], "FAILED")

    async def listed(**fields: Any) -> list[int]:
        request = pb.ListDeploymentsRequest(project_id=project.id, **fields)
        found = (await server.ListDeployments(request, NO_CONTEXT)).deployments
        return [[one.id for one in made].index(one.id) for one in found]

    assert await listed() == [2, 1, 0]
    assert await listed(environment="production") == [2, 0]
    assert await listed(environment="production", before=made[2].id) == [0]
    assert await listed(states=["LIVE", "QUEUED"]) == [1, 0]
    assert await listed(kinds=["rollback", "config"]) == []
    assert await listed(environment="production", states=["FAILED"], kinds=["build"], limit=1) == [2]
    assert await code(listed(states=["LIVELY"])) == "DEPLOYMENT_INVALID"
    assert await code(listed(kinds=["undo"])) == "DEPLOYMENT_INVALID"


async def test_a_cursor_of_another_project_shows_nothing_of_it(server: ProjectsServer, project: pb.Project) -> None:
    await deploy(server, project)
    other = await server.CreateProject(pb.CreateProjectRequest(name="shop", team_id=TEAM), NO_CONTEXT)
    theirs = await deploy(server, other)
    request = pb.ListDeploymentsRequest(project_id=project.id, before=theirs.id)
    assert list((await server.ListDeployments(request, NO_CONTEXT)).deployments) == []


async def test_previews_are_canceled_rolled_back_and_promoted_as_production_is(
    server: ProjectsServer, project: pb.Project, database: Database
) -> None:
    running = await deploy(server, project, "preview/fix")
    cancel = pb.GetDeploymentRequest(deployment_id=running.id, project_id=project.id)
    assert (await server.CancelDeployment(cancel, NO_CONTEXT)).id == running.id
    assert [one.target for one in await audited(database, "deployment.cancel")] == [running.id]
    await move(database, running, "CANCELED")
    assert await code(server.CancelDeployment(cancel, NO_CONTEXT)) == "DEPLOYMENT_FINISHED"
    built = await deploy(server, project, "preview/fix")
    change = DeploymentStateChanged(built.id, project.id, "preview/fix", "BUILDING", release_id="rel_p")
    await Lifecycle(database).apply(Envelope(data=change, key="k"))
    for kind, environment in (("rollback", "preview/fix"), ("promote", "production")):
        wanted = pb.CreateDeploymentRequest(
            deployment_id=ids.new("dep"), project_id=project.id, environment=environment, kind=kind, release_id="rel_p"
        )
        made = await server.CreateDeployment(wanted, NO_CONTEXT)
        assert (made.kind, made.environment, made.commit) == (kind, environment, built.commit)
