"""API tokens: cut down from what their maker may do, shown once, and gone when they are revoked."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from control.auth.limits import Limits
from kernel.errors import ShipoffError
from tests.integration.control.teams.conftest import Person, World

HOUR_MS = 3_600_000


def in_hours(hours: float) -> int:
    return int(time.time() * 1000 + hours * HOUR_MS)


async def made(world: World, who: Person | str, *scopes: str, **more: Any) -> Any:
    fields = {"name": "ci", **more, **({"scopes": {"names": scopes}} if scopes else {})}
    return await world.ask(who, "Tokens", "CreateAccountToken", **fields)


async def test_a_token_is_shown_once_and_listed_without_its_secret(world: World) -> None:
    ada = await world.person("ada")
    new = await made(world, ada, "PROJECT:READ", "TEAM:READ", expires_at_ms=in_hours(1))
    assert new.secret.startswith(new.token.prefix)
    listed = (await world.ask(ada, "Tokens", "ListAccountTokens")).tokens
    assert [one.name for one in listed] == ["ci", "all"]
    assert list(listed[0].scopes.names) == ["PROJECT:READ", "TEAM:READ"]
    assert not listed[1].HasField("scopes")
    assert new.secret not in str(listed)
    record = (await world.records(ada.team))[-1]
    assert (record["action"], record["target"], record["after"]["scopes"]) == (
        "token.create", new.token.id, ["PROJECT:READ", "TEAM:READ"],
    )  # fmt: skip
    assert new.secret not in str(record)


async def test_a_token_may_do_what_its_scopes_say_and_no_more(world: World) -> None:
    ada = await world.person("ada")
    project = await world.project(ada, ada.team)
    reader = (await made(world, ada, "PROJECT:READ")).secret
    assert (await world.ask(reader, "Projects", "GetProject", project=project)).id == project
    assert await world.refused(reader, "Projects", "DeleteProject", project_id=project) == "PERMISSION_DENIED"
    assert await world.refused(reader, "Teams", "GetTeam", team=ada.team) == "TEAM_NOT_FOUND"
    assert not (await world.ask(reader, "Teams", "ListTeams")).teams
    assert await world.refused(reader, "Teams", "CreateTeam", name="x", slug="xx") == "ACCOUNT_REQUIRED"


async def test_a_token_for_one_project_opens_no_other(world: World) -> None:
    ada = await world.person("ada")
    one, other = [await world.project(ada, ada.team) for _ in range(2)]
    narrow = (await made(world, ada, project_id=one, team_id=ada.team)).secret
    assert (await world.ask(narrow, "Projects", "GetProject", project=one)).id == one
    assert await world.refused(narrow, "Projects", "GetProject", project=other) == "PROJECT_NOT_FOUND"
    assert await world.refused(narrow, "Teams", "GetTeam", team=ada.team) == "TEAM_NOT_FOUND"
    assert [p.id for p in (await world.ask(narrow, "Projects", "ListProjects")).projects] == [one]


async def test_a_token_makes_none_that_may_do_more_than_itself(world: World) -> None:
    ada = await world.person("ada")
    project = await world.project(ada, ada.team)
    ends = in_hours(2)
    maker = (await made(world, ada, "TOKEN:CREATE", "PROJECT:READ", expires_at_ms=ends)).secret
    for fields in (
        {"expires_at_ms": ends},  # no scopes: all that the account may do
        {"scopes": {"names": ["PROJECT:DELETE"]}, "expires_at_ms": ends},
        {"scopes": {"names": ["PROJECT:READ", "TOKEN:READ"]}, "expires_at_ms": ends},
        {"scopes": {"names": ["PROJECT:READ"]}},  # for ever
        {"scopes": {"names": ["PROJECT:READ"]}, "expires_at_ms": ends + HOUR_MS},
    ):
        assert await world.refused(maker, "Tokens", "CreateAccountToken", name="x", **fields) == "TOKEN_TOO_WIDE"
    less = await made(world, maker, "PROJECT:READ", expires_at_ms=in_hours(1))
    assert await world.refused(less.secret, "Tokens", "CreateAccountToken", name="x") == "PERMISSION_DENIED"
    of_project = (await made(world, ada, project_id=project, team_id=ada.team)).secret
    assert await world.refused(of_project, "Tokens", "CreateAccountToken", name="x") == "TOKEN_TOO_WIDE"


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"name": ""}, "TOKEN_NAME_INVALID"), ({"name": "x\n"}, "TOKEN_NAME_INVALID"),
     ({"scopes": {"names": []}}, "TOKEN_SCOPES_INVALID"), ({"scopes": {"names": ["ROOT:ALL"]}}, "TOKEN_SCOPES_INVALID"),
     ({"expires_at_ms": 1}, "TOKEN_EXPIRY_INVALID"), ({"expires_at_ms": in_hours(24 * 367)}, "TOKEN_EXPIRY_INVALID"),
     ({"expires_at_ms": 1 << 62}, "TOKEN_EXPIRY_INVALID"), ({"expires_at_ms": -5}, "TOKEN_EXPIRY_INVALID"),
     ({"project_id": "prj_" + "0" * 32}, "TEAM_NOT_FOUND")],
)  # fmt: skip
async def test_a_token_that_means_nothing_is_refused(world: World, fields: dict[str, Any], code: str) -> None:
    ada = await world.person("ada")
    assert await world.refused(ada, "Tokens", "CreateAccountToken", **{"name": "ci", **fields}) == code


async def test_an_expired_token_opens_nothing(world: World) -> None:
    ada = await world.person("ada")
    new = await made(world, ada, expires_at_ms=in_hours(1))
    await world.auth.execute("update api_tokens set expires_at = now() where id = $1", new.token.id)
    assert await world.refused(new.secret, "Teams", "ListTeams") == "TOKEN_INVALID"


async def test_a_revoked_token_opens_nothing_and_only_its_account_revokes_it(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    new = await made(world, ada, "PROJECT:READ")
    other = await made(world, ada)
    token = {"token_id": other.token.id}
    assert await world.refused(bob, "Tokens", "RevokeAccountToken", **token) == "TOKEN_NOT_FOUND"
    assert await world.refused(new.secret, "Tokens", "RevokeAccountToken", **token) == "PERMISSION_DENIED"
    await world.ask(ada, "Tokens", "RevokeAccountToken", **token)
    assert await world.refused(other.secret, "Teams", "ListTeams") == "TOKEN_INVALID"
    await world.ask(new.secret, "Tokens", "RevokeAccountToken", token_id=new.token.id)  # itself
    assert await world.refused(new.secret, "Teams", "ListTeams") == "TOKEN_INVALID"
    assert [one["action"] for one in await world.records(ada.team)].count("token.delete") == 2


async def test_when_a_token_was_used_is_known_to_the_minute(world: World) -> None:
    ada = await world.person("ada")
    new = await made(world, ada)
    query = "select last_used_at from api_tokens where id = $1"
    assert await world.auth.fetchval(query, new.token.id) is None
    await world.ask(new.secret, "Teams", "ListTeams")
    first = await world.auth.fetchval(query, new.token.id)
    await world.ask(new.secret, "Teams", "ListTeams")
    assert await world.auth.fetchval(query, new.token.id) == first
    await world.auth.execute("update api_tokens set last_used_at = now() - interval '61 seconds'")
    await world.ask(new.secret, "Teams", "ListTeams")
    assert await world.auth.fetchval(query, new.token.id) > first


async def test_a_token_of_a_project_has_its_role_there_and_belongs_to_nobody(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada, ADMIN=bob)
    project, other = [await world.project(ada, team) for _ in range(2)]
    where = {"team_id": team, "project_id": project, "name": "deploy"}
    assert await world.refused(bob, "Tokens", "CreateProjectToken", **where, role="OWNER") == "ROLE_TOO_HIGH"
    new = await world.ask(bob, "Tokens", "CreateProjectToken", **where, role="DEVELOPER")
    assert (await world.ask(new.secret, "Projects", "GetProject", project=project)).id == project
    assert await world.refused(new.secret, "Projects", "DeleteProject", project_id=project) == "PERMISSION_DENIED"
    assert await world.refused(new.secret, "Projects", "GetProject", project=other) == "PROJECT_NOT_FOUND"
    assert await world.refused(new.secret, "Tokens", "CreateAccountToken", name="x") == "ACCOUNT_REQUIRED"
    assert await world.refused(new.secret, "Tokens", "ListAccountTokens") == "ACCOUNT_REQUIRED"
    assert (
        await world.refused(new.secret, "Tokens", "CreateProjectToken", **where, role="VIEWER") == "PERMISSION_DENIED"
    )
    await world.ask(ada, "Members", "RemoveMember", team_id=team, account_id=bob.id)
    assert await world.ask(new.secret, "Projects", "GetProject", project=project)  # it is the project's
    listed = (await world.ask(ada, "Tokens", "ListProjectTokens", team_id=team, project_id=project)).tokens
    assert [(one.role, one.prefix) for one in listed] == [("DEVELOPER", new.token.prefix)]
    gone = {"team_id": team, "project_id": project, "token_id": new.token.id}
    await world.ask(ada, "Tokens", "RevokeProjectToken", **gone)
    assert await world.refused(new.secret, "Projects", "GetProject", project=project) == "TOKEN_INVALID"


async def test_a_token_of_a_project_makes_no_greater_one(world: World) -> None:
    ada = await world.person("ada")
    project = await world.project(ada, ada.team)
    where = {"team_id": ada.team, "project_id": project, "name": "x"}
    admin = (await world.ask(ada, "Tokens", "CreateProjectToken", **where, role="ADMIN")).secret
    assert await world.refused(admin, "Tokens", "CreateProjectToken", **where, role="OWNER") == "ROLE_TOO_HIGH"
    assert (await world.ask(admin, "Tokens", "CreateProjectToken", **where, role="VIEWER")).secret
    scopes = {"names": ["TOKEN:CREATE"]}
    narrow = (await world.ask(ada, "Tokens", "CreateProjectToken", **where, role="OWNER", scopes=scopes)).secret
    assert await world.refused(narrow, "Tokens", "CreateProjectToken", **where, role="VIEWER") == "TOKEN_TOO_WIDE"


async def test_whoever_names_a_project_and_a_team_that_do_not_belong_together_is_refused(world: World) -> None:
    ada, eve = await world.person("ada"), await world.person("eve")
    victim = await world.project(ada, ada.team)
    wrong = {"team_id": eve.team, "project_id": victim}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("Tokens", "CreateProjectToken", {"name": "x", "role": "OWNER"}),
        ("Tokens", "CreateAccountToken", {"name": "x"}),
        ("ProjectMembers", "AddProjectMember", {"account_id": eve.id, "role": "OWNER"}),
        ("ProjectMembers", "ChangeProjectMember", {"account_id": ada.id, "role": "VIEWER"}),
    ]
    for service, method, more in calls:
        assert await world.refused(eve, service, method, **wrong, **more) == "PROJECT_NOT_FOUND"
    assert not (await world.ask(eve, "Tokens", "ListProjectTokens", **wrong)).tokens
    assert not (await world.ask(eve, "ProjectMembers", "ListProjectMembers", **wrong)).members


class TestLimits:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(tokens_per_account=3)

    async def test_an_account_has_so_many_tokens_and_no_more_however_fast_it_asks(self, world: World) -> None:
        ada = await world.person("ada")
        answers = await asyncio.gather(*(made(world, ada) for _ in range(5)), return_exceptions=True)
        assert [one.code for one in answers if isinstance(one, ShipoffError)] == ["LIMIT_REACHED"] * 3
