"""Roles on single projects: guests come in by them, and they go with their project."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from control.auth.limits import Limits
from control.auth.roles.service import ProjectRoles
from kernel.events import DeploymentCanceled, Envelope, ProjectDeleted, decode
from kernel.streams import Consumer, OutboxRelay
from tests.integration.control.teams.conftest import World


async def test_a_guest_sees_one_project_and_nothing_else_of_the_team(world: World) -> None:
    ada, eve = await world.person("ada"), await world.person("eve")
    team = await world.team(ada)
    project, other = [await world.project(ada, team) for _ in range(2)]
    where = {"team_id": team, "project_id": project}
    member = await world.ask(ada, "ProjectMembers", "AddProjectMember", **where, account_id=eve.id, role="DEVELOPER")
    assert (member.role, member.in_team) == ("DEVELOPER", False)
    assert (await world.ask(eve, "Projects", "GetProject", project=project)).id == project
    assert [one.id for one in (await world.ask(eve, "Projects", "ListProjects")).projects] == [project]
    assert await world.refused(eve, "Projects", "GetProject", project=other) == "PROJECT_NOT_FOUND"
    assert await world.refused(eve, "Teams", "GetTeam", team=team) == "TEAM_NOT_FOUND"
    assert await world.refused(eve, "Members", "ListMembers", team_id=team) == "TEAM_NOT_FOUND"
    assert await world.refused(eve, "Audit", "ListAuditEvents", team_id=team) == "TEAM_NOT_FOUND"
    listed = (await world.ask(eve, "ProjectMembers", "ListProjectMembers", **where)).members
    assert [(one.email, one.role) for one in listed] == [(eve.email, "DEVELOPER")]
    await world.ask(eve, "ProjectMembers", "RemoveProjectMember", **where, account_id=eve.id)
    assert await world.refused(eve, "Projects", "GetProject", project=project) == "PROJECT_NOT_FOUND"
    assert [
        (one["action"], one["actor_id"], one["before"], one["after"]) for one in (await world.records(team))[1:]
    ] == [
        ("project_member.create", ada.id, {}, {"role": "DEVELOPER"}),
        ("project_member.delete", eve.id, {"role": "DEVELOPER"}, {}),
    ]


async def test_on_a_project_too_nobody_gives_or_takes_more_than_they_have(world: World) -> None:
    ada, bob, eve, kim = [await world.person(name) for name in ("ada", "bob", "eve", "kim")]
    team = await world.team(ada, VIEWER=bob)
    where = {"team_id": team, "project_id": await world.project(ada, team)}
    await world.ask(ada, "ProjectMembers", "AddProjectMember", **where, account_id=bob.id, role="ADMIN")
    await world.ask(ada, "ProjectMembers", "AddProjectMember", **where, account_id=eve.id, role="OWNER")

    async def refused(method: str, account_id: str, **role: str) -> str:
        return await world.refused(bob, "ProjectMembers", method, **where, account_id=account_id, **role)

    assert await refused("AddProjectMember", kim.id, role="OWNER") == "ROLE_TOO_HIGH"
    assert await refused("ChangeProjectMember", eve.id, role="VIEWER") == "ROLE_TOO_HIGH"
    assert await refused("RemoveProjectMember", eve.id) == "ROLE_TOO_HIGH"
    assert await refused("AddProjectMember", eve.id, role="VIEWER") == "MEMBER_EXISTS"
    assert await refused("AddProjectMember", "acc_" + "0" * 32, role="VIEWER") == "MEMBER_UNKNOWN"
    assert await refused("ChangeProjectMember", kim.id, role="VIEWER") == "MEMBER_NOT_FOUND"
    assert await world.refused(bob, "Members", "ChangeMember", team_id=team, account_id=bob.id, role="ADMIN") in (
        "ROLE_TOO_HIGH",
    )
    await world.ask(bob, "ProjectMembers", "AddProjectMember", **where, account_id=kim.id, role="ADMIN")
    changed = await world.ask(kim, "ProjectMembers", "ChangeProjectMember", **where, account_id=kim.id, role="VIEWER")
    assert changed.role == "VIEWER"


async def test_to_another_team_a_project_takes_its_roles_and_no_token(world: World) -> None:
    ada, eve = await world.person("ada"), await world.person("eve")
    team = await world.team(ada)
    project = await world.project(ada, ada.team)
    where = {"team_id": ada.team, "project_id": project}
    await world.ask(ada, "ProjectMembers", "AddProjectMember", **where, account_id=eve.id, role="VIEWER")
    token = (await world.ask(ada, "Tokens", "CreateProjectToken", **where, role="VIEWER", name="x")).secret
    await world.ask(ada, "Projects", "TransferProject", project_id=project, team_id=team)
    raw = await world.projects.fetchval(
        "select envelope from outbox where convert_from(envelope, 'utf8') like '%ferred%'"
    )
    roles = ProjectRoles(world.auth, None, Limits())  # type: ignore[arg-type]  # asks projects nothing here
    await roles.apply(decode(raw))
    listed = await world.ask(ada, "ProjectMembers", "ListProjectMembers", team_id=team, project_id=project)
    assert [one.account_id for one in listed.members] == [eve.id]
    assert (await world.ask(eve, "Projects", "GetProject", project=project)).team_id == team
    assert await world.refused(token, "Projects", "GetProject", project=project) == "TOKEN_INVALID"


async def test_a_closed_team_is_given_no_project(world: World) -> None:
    ada = await world.person("ada")
    team = await world.team(ada)
    project = await world.project(ada, ada.team)
    await world.projects.execute("insert into closed_teams (team_id) values ($1)", team)
    to = {"project_id": project, "team_id": team}
    assert await world.refused(ada, "Projects", "TransferProject", **to) == "TEAM_CLOSED"


async def test_with_a_project_goes_all_that_was_given_on_it(world: World, streams: Redis) -> None:
    ada, eve = await world.person("ada"), await world.person("eve")
    project, other = [await world.project(ada, ada.team) for _ in range(2)]
    for one in (project, other):
        where = {"team_id": ada.team, "project_id": one}
        await world.ask(ada, "ProjectMembers", "AddProjectMember", **where, account_id=eve.id, role="VIEWER")
        await world.ask(ada, "Tokens", "CreateProjectToken", **where, role="VIEWER", name="x")
    roles: ProjectRoles = ProjectRoles(world.auth, None, Limits())  # type: ignore[arg-type]  # asks projects nothing here
    relay, consumer = OutboxRelay(world.projects, streams), Consumer(streams, "deployments", "auth", "one", roles.apply)
    relay.start()
    consumer.start()
    try:
        await world.ask(ada, "Projects", "DeleteProject", project_id=project)
        query = "select project_id from project_members union all select project_id from api_tokens where role <> ''"
        async with asyncio.timeout(20):
            while sorted(row[0] for row in await world.auth.fetch(query)) != [other, other]:
                await asyncio.sleep(0.02)
    finally:
        await consumer.stop()
        await relay.stop()
    await roles.apply(Envelope(ProjectDeleted(project), key=project))
    await roles.apply(Envelope(DeploymentCanceled("dep_1", other, "production"), key=other))
    assert await world.auth.fetchval("select count(*) from project_members") == 1
