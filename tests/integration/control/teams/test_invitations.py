"""Invitations: once, for a while, for one address, and worth what their maker is worth."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from control.auth.limits import Limits
from kernel.errors import ShipoffError
from tests.integration.control.teams.conftest import Person, World


async def invited(world: World, who: Person, team: str, email: str, **roles: str) -> tuple[str, str]:
    """The id and the token of a new invitation."""
    fields = {"team_id": team, "email": email, **(roles or {"role": "DEVELOPER"})}
    answer = await world.ask(who, "Invitations", "Invite", **fields)
    return answer.invitation.id, token_of(answer.accept_url)


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


async def accept(world: World, who: Person, token: str) -> Any:
    return await world.ask(who, "Invitations", "AcceptInvitation", token=token)


async def test_an_invitation_makes_a_member_once(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada)
    invitation, token = await invited(world, ada, team, " Bob@Example.org ")
    listed = (await world.ask(ada, "Invitations", "ListInvitations", team_id=team)).invitations
    assert [(one.id, one.email, one.role) for one in listed] == [(invitation, "bob@example.org", "DEVELOPER")]
    got = await accept(world, bob, token)
    assert (got.team_id, got.role) == (team, "DEVELOPER")
    assert (await world.ask(bob, "Teams", "GetTeam", team=team)).role == "DEVELOPER"
    assert not (await world.ask(ada, "Invitations", "ListInvitations", team_id=team)).invitations
    assert await world.refused(bob, "Invitations", "AcceptInvitation", token=token) == "INVITATION_VOID"
    actions = [(one["action"], one["actor_id"], one["target"]) for one in await world.records(team)]
    assert actions[1:] == [
        ("invitation.create", ada.id, invitation),
        ("invitation.accept", bob.id, invitation),
        ("member.create", bob.id, bob.id),
    ]
    assert token not in str(await world.records(team))


async def test_of_many_that_accept_at_once_one_gets_it(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada)
    _, token = await invited(world, ada, team, bob.email)
    passport = await world.passport(bob)
    calls = (world.ask(passport, "Invitations", "AcceptInvitation", token=token) for _ in range(6))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [one.code for one in answers if isinstance(one, ShipoffError)] == ["INVITATION_VOID"] * 5
    assert [one["action"] for one in await world.records(team)].count("member.create") == 1


async def test_only_the_invited_address_gets_in_and_only_when_it_is_proven(world: World) -> None:
    ada, eve = await world.person("ada"), await world.person("eve")
    bob = await world.person("bob", verified=False)
    team = await world.team(ada)
    _, token = await invited(world, ada, team, bob.email)
    for who in (eve, bob):
        code = await world.refused(who, "Invitations", "AcceptInvitation", token=token)
        assert code == "INVITATION_FOR_ANOTHER"
    await world.auth.execute("update accounts set verified_at = now()")
    assert (await accept(world, bob, token)).role == "DEVELOPER"  # it was not used up


async def test_the_answer_does_not_say_whether_an_address_has_an_account(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada)
    answers = []
    for email in (bob.email, "nobody@example.org"):
        answer = await world.ask(ada, "Invitations", "Invite", team_id=team, email=email, role="VIEWER")
        answers.append({field.name for field, _ in answer.invitation.ListFields()})
    assert answers[0] == answers[1]
    assert await world.auth.fetchval("select count(*) from mails where template = 'invitation'") == 2


async def test_a_guest_is_invited_to_a_project_alone(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada)
    project = await world.project(ada, team)
    _, token = await invited(world, ada, team, bob.email, project_id=project, project_role="VIEWER")
    got = await accept(world, bob, token)
    assert (got.role, got.project_id, got.project_role) == ("", project, "VIEWER")
    assert (await world.ask(bob, "Projects", "GetProject", project=project)).id == project
    assert await world.refused(bob, "Teams", "GetTeam", team=team) == "TEAM_NOT_FOUND"


async def test_nobody_invites_above_themselves(world: World) -> None:
    ada, bob, eve = [await world.person(name) for name in ("ada", "bob", "eve")]
    team = await world.team(ada, ADMIN=bob, DEVELOPER=eve)
    other = await world.project(eve, eve.team)
    to = {"team_id": team, "email": "x@example.org"}
    assert await world.refused(bob, "Invitations", "Invite", **to, role="OWNER") == "ROLE_TOO_HIGH"
    assert await world.refused(eve, "Invitations", "Invite", **to, role="VIEWER") == "PERMISSION_DENIED"
    on = {"project_id": other, "project_role": "VIEWER"}
    assert await world.refused(bob, "Invitations", "Invite", **to, **on) == "PROJECT_NOT_FOUND"
    assert await world.refused(bob, "Invitations", "Invite", **to) == "INVITATION_EMPTY"
    assert await world.refused(bob, "Invitations", "Invite", **to, project_id=other) == "INVITATION_EMPTY"
    assert await world.refused(bob, "Invitations", "Invite", **to, role="BOSS") == "ROLE_INVALID"
    bad = {**to, "email": "x", "role": "VIEWER"}
    assert await world.refused(bob, "Invitations", "Invite", **bad) == "EMAIL_INVALID"
    assert await world.refused(bob, "Invitations", "Invite", **{**bad, "email": eve.email}) == "MEMBER_EXISTS"


async def test_an_invitation_is_void_when_its_maker_could_not_make_it_any_more(world: World) -> None:
    ada, bob, kim = [await world.person(name) for name in ("ada", "bob", "kim")]
    team = await world.team(ada, ADMIN=bob)
    _, token = await invited(world, bob, team, kim.email, role="ADMIN")
    await world.ask(ada, "Members", "ChangeMember", team_id=team, account_id=bob.id, role="DEVELOPER")
    assert await world.refused(kim, "Invitations", "AcceptInvitation", token=token) == "INVITATION_VOID"
    await world.ask(ada, "Members", "ChangeMember", team_id=team, account_id=bob.id, role="ADMIN")
    assert (await accept(world, kim, token)).role == "ADMIN"


async def test_a_revoked_or_expired_invitation_opens_nothing(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada)
    invitation, token = await invited(world, ada, team, bob.email)
    assert await world.refused(ada, "Invitations", "Invite", team_id=team, email=bob.email, role="VIEWER") == (
        "INVITATION_EXISTS"
    )
    await world.ask(ada, "Invitations", "RevokeInvitation", team_id=team, invitation_id=invitation)
    assert await world.refused(bob, "Invitations", "AcceptInvitation", token=token) == "INVITATION_VOID"
    again = {"team_id": team, "invitation_id": invitation}
    assert await world.refused(ada, "Invitations", "RevokeInvitation", **again) == "INVITATION_NOT_FOUND"
    _, token = await invited(world, ada, team, bob.email)
    await world.auth.execute("update invitations set expires_at = now()")
    assert await world.refused(bob, "Invitations", "AcceptInvitation", token=token) == "INVITATION_VOID"
    _, token = await invited(world, ada, team, bob.email)  # the expired one is out of the way
    assert (await accept(world, bob, token)).role == "DEVELOPER"


async def test_what_is_sent_again_has_a_new_link_and_not_every_second(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada)
    invitation, old = await invited(world, ada, team, bob.email)
    again = {"team_id": team, "invitation_id": invitation}
    assert await world.refused(ada, "Invitations", "ResendInvitation", **again) == "INVITATION_TOO_SOON"
    await world.auth.execute("update invitations set sent_at = sent_at - interval '61 seconds'")
    answer = await world.ask(ada, "Invitations", "ResendInvitation", **again)
    assert await world.refused(bob, "Invitations", "AcceptInvitation", token=old) == "INVITATION_VOID"
    assert (await accept(world, bob, token_of(answer.accept_url))).role == "DEVELOPER"


async def test_an_invitation_makes_nobody_less(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada)
    _, token = await invited(world, ada, team, bob.email, role="VIEWER")
    await world.join(team, bob, "ADMIN")
    assert (await accept(world, bob, token)).role == "ADMIN"
    assert (await world.ask(bob, "Teams", "GetTeam", team=team)).role == "ADMIN"


async def test_a_token_that_is_cut_down_accepts_nothing(world: World) -> None:
    ada, bob = await world.person("ada"), await world.person("bob")
    team = await world.team(ada)
    _, token = await invited(world, ada, team, bob.email)
    scopes = {"names": ["TEAM:READ"]}
    narrow = (await world.ask(bob, "Tokens", "CreateAccountToken", name="x", scopes=scopes)).secret
    assert await world.refused(narrow, "Invitations", "AcceptInvitation", token=token) == "ACCOUNT_REQUIRED"


async def test_the_mail_shows_nothing_that_others_chose_freely(world: World) -> None:
    from control.auth.mail.letter import compose

    values = {"public_url": "https://s.example", "at": "", "link": "https://s.example/x", "team": "acme", "days": "7"}
    text = compose("S <s@s.example>", "bob@example.org", "invitation", values).as_string()
    assert "https://s.example/x" in text
    assert "acme" in text


async def test_nobody_writes_often_to_one_address_or_to_many_in_our_name(world: World) -> None:
    ada = await world.person("ada")
    teams = [await world.team(ada) for _ in range(6)]
    for team in teams:
        await invited(world, ada, team, "x@example.org")
    assert await world.auth.fetchval("select count(*) from mails where template = 'invitation'") == 5
    for number in range(44):
        await invited(world, ada, teams[0], f"y{number}@example.org")
    more = {"team_id": teams[1], "email": "z@example.org", "role": "VIEWER"}
    assert await world.refused(ada, "Invitations", "Invite", **more) == "TOO_MANY_ATTEMPTS"


class TestLimits:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(members_per_team=2, invitations_per_team=3)

    async def test_a_team_has_so_many_open_invitations_and_members(self, world: World) -> None:
        ada, bob, kim = [await world.person(name) for name in ("ada", "bob", "kim")]
        team = await world.team(ada)
        tokens = [(await invited(world, ada, team, one))[1] for one in (bob.email, kim.email, "x@example.org")]
        more = {"team_id": team, "email": "y@example.org", "role": "VIEWER"}
        assert await world.refused(ada, "Invitations", "Invite", **more) == "LIMIT_REACHED"
        await accept(world, bob, tokens[0])
        assert await world.refused(kim, "Invitations", "AcceptInvitation", token=tokens[1]) == "LIMIT_REACHED"
