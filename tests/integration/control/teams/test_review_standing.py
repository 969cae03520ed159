"""Ways around the rules of roles: tokens that are cut down, and two changes at one moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control.auth.limits import Limits
from control.auth.owned import Owned
from control.auth.roles.service import ProjectRoles
from kernel import tasks
from kernel.errors import ShipoffError
from kernel.events import Envelope, ProjectTransferred
from tests.integration.control.teams.conftest import World


@pytest.fixture
def owned(world: World) -> Owned:
    return Owned(world._clients["projects"])


async def test_a_token_for_one_project_neither_sees_nor_ends_the_accounts_other_tokens(world: World) -> None:
    ada = await world.person("ada")
    project = await world.project(ada, ada.team)
    where: dict[str, Any] = {"project_id": project, "team_id": ada.team}
    narrow, other = [await world.ask(ada, "Tokens", "CreateAccountToken", name=name, **where) for name in "ab"]
    secret = narrow.secret
    assert await world.refused(secret, "Tokens", "ListAccountTokens") == "PERMISSION_DENIED"
    whole = (await world.ask(ada, "Tokens", "ListAccountTokens")).tokens[-1]
    for token in (whole.id, other.token.id):
        assert await world.refused(secret, "Tokens", "RevokeAccountToken", token_id=token) == "PERMISSION_DENIED"
    await world.ask(secret, "Tokens", "RevokeAccountToken", token_id=narrow.token.id)  # itself
    assert len((await world.ask(ada, "Tokens", "ListAccountTokens")).tokens) == 2


@pytest.mark.parametrize("how", ["transfer", "promote"])
async def test_a_team_is_not_given_to_an_account_that_is_being_deleted(world: World, how: str) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada, ADMIN=bob)
    async with world.auth.transaction() as tx:  # as accounts/profile.py deletes: it looks first whether bob owns teams
        await tx.execute("select from accounts where id = $1 for update", bob.id)
        if how == "transfer":
            given = world.ask(ada, "Teams", "TransferTeam", team_id=team, account_id=bob.id)
        else:
            given = world.ask(ada, "Members", "ChangeMember", team_id=team, account_id=bob.id, role="OWNER")
        giving = tasks.spawn(given, "gives the team")
        waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not giving.done() and not await world.auth.fetchval(waits):
            await asyncio.sleep(0.02)
        await tx.execute("delete from accounts where id = $1", bob.id)
    with pytest.raises(ShipoffError, match="MEMBER_NOT_FOUND"):
        await giving
    owners = await world.auth.fetch("select account_id from team_members where team_id = $1 and role = 'OWNER'", team)
    assert [row["account_id"] for row in owners] == [ada.id]


@pytest.mark.parametrize("given", ["token", "role", "invitation"])
async def test_nothing_is_given_on_a_project_that_has_gone_to_another_team_meanwhile(
    world: World, owned: Owned, given: str
) -> None:
    ada, bob, eve = [await world.person(name) for name in ("ada", "bob", "eve")]
    old, new = await world.team(ada, ADMIN=bob), await world.team(ada)
    where: dict[str, Any] = {"project_id": await world.project(ada, old), "team_id": old}
    offer = {"email": eve.email, "project_role": "ADMIN", **where}
    link = (await world.ask(bob, "Invitations", "Invite", **offer)).accept_url
    wish: dict[str, Any] = {
        "token": lambda: world.ask(bob, "Tokens", "CreateProjectToken", name="x", role="ADMIN", **where),
        "role": lambda: world.ask(bob, "ProjectMembers", "AddProjectMember", account_id=eve.id, role="ADMIN", **where),
        "invitation": lambda: world.ask(eve, "Invitations", "AcceptInvitation", token=link.partition("token=")[2]),
    }
    roles = ProjectRoles(world.auth, owned, Limits())
    async with world.auth.transaction() as tx:  # the old team is being changed by others, which can be kept up
        await tx.execute("select from teams where id = $1 for update", old)
        giving = tasks.spawn(wish[given](), "gives something")
        waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        while not giving.done() and not await world.auth.fetchval(waits):
            await asyncio.sleep(0.02)
        await world.ask(ada, "Projects", "TransferProject", project_id=where["project_id"], team_id=new)
        if given != "invitation":  # its event has not come yet
            await roles.apply(Envelope(data=ProjectTransferred(where["project_id"], new), key="k"))
    with pytest.raises(ShipoffError, match="PROJECT_NOT_FOUND"):
        await giving
    left = "select (select count(*) from project_members) + (select count(*) from api_tokens where account_id is null)"
    assert await world.auth.fetchval(left) == 0
