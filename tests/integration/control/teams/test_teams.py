"""Teams and their members: who may become what, and what no role gets around."""

from __future__ import annotations

import asyncio

import pytest

from control.auth.limits import Limits
from kernel.errors import ShipoffError
from tests.integration.control.teams.conftest import World


async def test_whoever_makes_a_team_owns_it(world: World) -> None:
    ada = await world.person("ada")
    team = await world.ask(ada, "Teams", "CreateTeam", name="Acme Ltd", slug="acme")
    assert (team.slug, team.role, team.personal) == ("acme", "OWNER", False)
    mine = (await world.ask(ada, "Teams", "ListTeams")).teams
    assert [(one.id, one.role, one.personal) for one in mine] == [
        (team.id, "OWNER", False),
        (ada.team, "OWNER", True),
    ]
    assert (await world.ask(ada, "Teams", "GetTeam", team="acme")).id == team.id
    assert [one.email for one in (await world.ask(ada, "Members", "ListMembers", team_id=team.id)).members] == [
        ada.email
    ]


async def test_a_slug_is_one_teams(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    await world.ask(ada, "Teams", "CreateTeam", name="Acme", slug="acme")
    assert await world.refused(bob, "Teams", "CreateTeam", name="Other", slug="acme") == "TEAM_SLUG_TAKEN"
    other = await world.ask(bob, "Teams", "CreateTeam", name="Other", slug="other")
    assert await world.refused(bob, "Teams", "UpdateTeam", team_id=other.id, slug="acme") == "TEAM_SLUG_TAKEN"


async def test_what_is_not_given_stays(world: World) -> None:
    ada = await world.person("ada")
    team = await world.ask(ada, "Teams", "CreateTeam", name="Acme", slug="acme")
    renamed = await world.ask(ada, "Teams", "UpdateTeam", team_id=team.id, name="Acme Inc")
    assert (renamed.name, renamed.slug) == ("Acme Inc", "acme")
    assert await world.refused(ada, "Teams", "UpdateTeam", team_id=team.id, name="") == "TEAM_NAME_INVALID"
    moved = await world.ask(ada, "Teams", "UpdateTeam", team_id=team.id, slug="acme-inc")
    assert (moved.name, moved.slug) == ("Acme Inc", "acme-inc")


async def test_a_team_that_owns_projects_stays(world: World) -> None:
    ada = await world.person("ada")
    team = await world.team(ada)
    project = await world.project(ada, team)
    assert await world.refused(ada, "Teams", "DeleteTeam", team_id=team) == "TEAM_HAS_PROJECTS"
    await world.ask(ada, "Projects", "DeleteProject", project_id=project)
    await world.project(ada, team)  # it is open still
    assert await world.refused(ada, "Teams", "DeleteTeam", team_id=team) == "TEAM_HAS_PROJECTS"


async def test_a_project_that_is_made_while_its_team_is_deleted_is_no_orphan(world: World) -> None:
    ada = await world.person("ada")
    for _ in range(6):
        team = await world.team(ada)
        answers: list[object] = await asyncio.gather(
            world.project(ada, team),
            world.ask(ada, "Teams", "DeleteTeam", team_id=team),
            return_exceptions=True,
        )
        codes = [one.code for one in answers if isinstance(one, ShipoffError)]
        assert codes in (["TEAM_CLOSED"], ["TEAM_HAS_PROJECTS"], ["PERMISSION_DENIED"])
        owned = await world.projects.fetchval("select count(*) from projects where team_id = $1", team)
        assert owned == (1 if codes == ["TEAM_HAS_PROJECTS"] else 0)
        assert await world.auth.fetchval("select count(*) from teams where id = $1", team) == owned


async def test_a_deleted_team_is_nowhere(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada, VIEWER=bob)
    await world.ask(ada, "Teams", "DeleteTeam", team_id=team)
    for who in (ada, bob):
        assert await world.refused(who, "Teams", "GetTeam", team=team) == "TEAM_NOT_FOUND"
        assert [one.id for one in (await world.ask(who, "Teams", "ListTeams")).teams] == [who.team]
    assert (await world.records(team))[-1]["action"] == "team.delete"


async def test_a_personal_team_stays_its_accounts(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    await world.join(ada.team, bob, "OWNER")
    member = {"team_id": ada.team, "account_id": ada.id}
    for who in (ada, bob):
        assert await world.refused(who, "Teams", "DeleteTeam", team_id=ada.team) == "TEAM_IS_PERSONAL"
        assert await world.refused(who, "Members", "RemoveMember", **member) == "TEAM_IS_PERSONAL"
        assert await world.refused(who, "Members", "ChangeMember", **member, role="ADMIN") == "TEAM_IS_PERSONAL"
    to_bob = {"team_id": ada.team, "account_id": bob.id}
    assert await world.refused(ada, "Teams", "TransferTeam", **to_bob) == "TEAM_IS_PERSONAL"


async def test_nobody_gives_or_takes_a_role_above_their_own(world: World) -> None:
    ada, bob, eve, kim = [await world.person(name) for name in ("ada", "bob", "eve", "kim")]
    team = await world.team(ada, ADMIN=bob, DEVELOPER=eve, VIEWER=kim)

    def to(who: object, **role: str) -> dict[str, str]:
        return {"team_id": team, "account_id": who.id, **role}  # type: ignore[attr-defined]

    assert await world.refused(bob, "Members", "ChangeMember", **to(ada, role="VIEWER")) == "ROLE_TOO_HIGH"
    assert await world.refused(bob, "Members", "RemoveMember", **to(ada)) == "ROLE_TOO_HIGH"
    for who in (bob, eve, kim):
        assert await world.refused(bob, "Members", "ChangeMember", **to(who, role="OWNER")) == "ROLE_TOO_HIGH"
    assert await world.refused(eve, "Members", "ChangeMember", **to(eve, role="ADMIN")) == "ROLE_TOO_HIGH"
    assert await world.refused(eve, "Members", "ChangeMember", **to(kim, role="DEVELOPER")) == "PERMISSION_DENIED"
    assert await world.refused(eve, "Members", "RemoveMember", **to(kim)) == "PERMISSION_DENIED"
    assert (await world.ask(bob, "Members", "ChangeMember", **to(kim, role="ADMIN"))).role == "ADMIN"
    assert (await world.ask(eve, "Members", "ChangeMember", **to(eve, role="VIEWER"))).role == "VIEWER"
    assert await world.refused(eve, "Members", "ChangeMember", **to(eve, role="DEVELOPER")) == "ROLE_TOO_HIGH"
    assert await world.refused(bob, "Members", "ChangeMember", **to(kim, role="BOSS")) == "ROLE_INVALID"


async def test_a_role_that_was_lost_counts_at_once(world: World) -> None:
    """A passport may still tell of it."""
    ada, bob, kim = [await world.person(name) for name in ("ada", "bob", "kim")]
    team = await world.team(ada, ADMIN=bob, VIEWER=kim)
    passport = await world.passport(bob)
    await world.ask(ada, "Members", "ChangeMember", team_id=team, account_id=bob.id, role="VIEWER")
    change = {"team_id": team, "account_id": kim.id, "role": "DEVELOPER"}
    assert await world.refused(passport, "Members", "ChangeMember", **change) == "ROLE_TOO_HIGH"


async def test_the_last_owner_neither_leaves_nor_becomes_less(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada, ADMIN=bob)
    me = {"team_id": team, "account_id": ada.id}
    assert await world.refused(ada, "Members", "RemoveMember", **me) == "LAST_OWNER"
    assert await world.refused(ada, "Members", "ChangeMember", **me, role="ADMIN") == "LAST_OWNER"
    await world.ask(ada, "Members", "ChangeMember", team_id=team, account_id=bob.id, role="OWNER")
    await world.ask(ada, "Members", "RemoveMember", **me)
    assert await world.refused(ada, "Teams", "GetTeam", team=team) == "TEAM_NOT_FOUND"


@pytest.mark.parametrize("how", ["leave", "remove each other", "demote"])
async def test_of_two_owners_that_go_at_once_one_stays(world: World, how: str) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    for _ in range(5):
        team = await world.team(ada, OWNER=bob)
        targets = (bob, ada) if how == "remove each other" else (ada, bob)
        method, more = ("ChangeMember", {"role": "VIEWER"}) if how == "demote" else ("RemoveMember", {})
        answers = await asyncio.gather(
            *(
                world.ask(who, "Members", method, team_id=team, account_id=target.id, **more)
                for who, target in zip((ada, bob), targets, strict=True)
            ),
            return_exceptions=True,
        )
        failed = [one for one in answers if isinstance(one, ShipoffError)]
        assert len(failed) == 1, answers
        assert failed[0].code in ("LAST_OWNER", "ROLE_TOO_HIGH", "TEAM_NOT_FOUND")
        owners = "select count(*) from team_members where team_id = $1 and role = 'OWNER'"
        assert await world.auth.fetchval(owners, team) == 1


async def test_ownership_goes_to_a_member_and_the_old_owner_becomes_an_admin(world: World) -> None:
    ada, bob, eve = [await world.person(name) for name in ("ada", "bob", "eve")]
    team = await world.team(ada, VIEWER=bob)
    assert await world.refused(ada, "Teams", "TransferTeam", team_id=team, account_id=eve.id) == "MEMBER_NOT_FOUND"
    assert await world.refused(bob, "Teams", "TransferTeam", team_id=team, account_id=bob.id) == "PERMISSION_DENIED"
    await world.ask(ada, "Teams", "TransferTeam", team_id=team, account_id=bob.id)
    roles = {one.account_id: one.role for one in (await world.ask(ada, "Members", "ListMembers", team_id=team)).members}
    assert roles == {ada.id: "ADMIN", bob.id: "OWNER"}
    assert await world.refused(ada, "Teams", "TransferTeam", team_id=team, account_id=ada.id) == "PERMISSION_DENIED"


async def test_who_leaves_a_team_loses_the_roles_on_its_projects(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada, VIEWER=bob)
    where = {"team_id": team, "project_id": await world.project(ada, team)}
    await world.ask(ada, "ProjectMembers", "AddProjectMember", **where, account_id=bob.id, role="ADMIN")
    await world.ask(ada, "Members", "RemoveMember", team_id=team, account_id=bob.id)
    assert await world.refused(bob, "Projects", "GetProject", project=where["project_id"]) == "PROJECT_NOT_FOUND"


class TestLimits:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(teams_per_account=3)

    async def test_an_account_has_so_many_teams_and_no_more_however_fast_it_asks(self, world: World) -> None:
        ada = await world.person("ada")
        answers = await asyncio.gather(*(world.team(ada) for _ in range(6)), return_exceptions=True)
        codes = [one.code for one in answers if isinstance(one, ShipoffError)]
        assert codes == ["LIMIT_REACHED"] * 4


async def test_every_change_is_recorded_with_actor_address_before_and_after(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada, VIEWER=bob)
    await world.ask(ada, "Teams", "UpdateTeam", team_id=team, name="Other")
    await world.ask(ada, "Members", "ChangeMember", team_id=team, account_id=bob.id, role="ADMIN")
    await world.ask(bob, "Members", "RemoveMember", team_id=team, account_id=bob.id)
    records = await world.records(team)
    assert [(one["action"], one["target"], one["actor_id"], one["before"], one["after"]) for one in records[1:]] == [
        ("team.update", team, ada.id, {"name": "Acme"}, {"name": "Other"}),
        ("member.update", bob.id, ada.id, {"role": "VIEWER"}, {"role": "ADMIN"}),
        ("member.delete", bob.id, bob.id, {"role": "ADMIN"}, {}),
    ]
    assert (records[0]["action"], records[0]["after"]["owner"]) == ("team.create", ada.id)
    assert {(one["address"], one["actor_kind"]) for one in records} == {("192.0.2.7", "token")}
    await world.ask(ada, "Teams", "UpdateTeam", team_id=team, name="Other")
    assert len(await world.records(team)) == len(records)
    assert await world.refused(ada, "Members", "ChangeMember", team_id=team, account_id="acc_x", role="ADMIN")
    assert len(await world.records(team)) == len(records)
    found = (await world.ask(ada, "Audit", "ListAuditEvents", team_id=team, action="member.", actor=bob.id)).events
    assert [(one.action, one.address) for one in found] == [("member.delete", "192.0.2.7")]
