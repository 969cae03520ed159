"""Teams, members, tokens and the audit log on the command line, against a real control plane."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from tests.integration.control.driver import Driver, Plane
from tests.integration.control.security.world import account, name
from tests.integration.control.test_cli import Cli


@pytest.fixture
async def people(plane: Plane, driver: Driver, tmp_path: Path) -> tuple[Cli, Cli, str]:
    """Two people, each logged in at home, and the second one's address."""
    made, account_id = [], ""
    for home in ("ada", "bob"):
        account_id, token = await account(plane)
        cli = Cli(plane, tmp_path / home)
        connection = await asyncpg.connect(plane.environment["SHIPOFF_AUTH_DATABASE_URL"])
        try:
            await connection.execute("update accounts set verified_at = now()")
            await connection.execute(
                "insert into team_members (team_id, account_id, role) values ($1, $2, 'OWNER')",
                f"tem_{account_id[4:]}", account_id,
            )  # fmt: skip
        finally:
            await connection.close()
        await cli.ok("login", "--url", plane.url, "--token-stdin", stdin=token + "\n")
        made.append(cli)
    return made[0], made[1], f"{account_id}@example.org"


async def test_a_team_is_made_joined_steered_and_left(people: tuple[Cli, Cli, str]) -> None:
    ada, bob, address = people
    slug = name()
    assert f"team {slug} is there" in await ada.ok("teams", "create", slug, "--name", "Acme")
    said = await ada.ok("members", "invite", address, "--team", slug, "--role", "viewer")
    assert "shipoff join 'http" in said
    (open_,) = json.loads(await ada.ok("members", "invitations", "--team", slug, "--json"))["invitations"]
    too_soon = await ada.run("members", "resend", open_["id"], "--team", slug)
    assert (too_soon.status, "INVITATION_TOO_SOON" in too_soon.out) == (1, True)
    link = said.split("shipoff join '")[1].split("'")[0]
    wrong = await ada.run("join", link)
    assert (wrong.status, "INVITATION_FOR_ANOTHER" in wrong.out, "hint: sign in" in wrong.out) == (3, True, True)
    assert "you are VIEWER of Acme" in await bob.ok("join", link)
    again = await bob.run("join", link.partition("token=")[2])
    assert (again.status, "INVITATION_VOID" in again.out) == (4, True)
    assert address in await bob.ok("members", "list", "--team", slug)
    refused = await bob.run("members", "role", address, "OWNER", "--team", slug)
    assert (refused.status, "PERMISSION_DENIED" in refused.out) == (3, True)
    assert f"{address} is ADMIN" in await ada.ok("members", "role", address, "admin", "--team", slug)
    last = await ada.run("teams", "leave", slug)
    assert (last.status, "LAST_OWNER" in last.out) == (2, True)
    assert "you are ADMIN" in await ada.ok("teams", "transfer", slug, address)
    assert f"you left {slug}" in await ada.ok("teams", "leave", slug)
    gone = await ada.run("members", "list", "--team", slug)
    assert (gone.status, "TEAM_NOT_FOUND" in gone.out) == (4, True)
    shown = await bob.ok("audit", "--team", slug, "--action", "member.")
    assert "role: VIEWER → ADMIN" in shown
    lines = [json.loads(line) for line in (await bob.ok("audit", "--team", slug, "--json")).splitlines()]
    assert lines[-1]["action"] == "team.create"
    assert "is called Other" in await bob.ok("teams", "update", slug, "--name", "Other")
    assert f"team {slug} is deleted" in await bob.ok("teams", "delete", slug, "--yes")


async def test_a_token_is_made_used_and_revoked(people: tuple[Cli, Cli, str], plane: Plane) -> None:
    ada = people[0]
    made = json.loads(await ada.ok("tokens", "create", "ci", "--scope", "TEAM:READ", "--days", "30", "--json"))
    secret, token_id = made["secret"], made["token"]["id"]
    narrow = {"SHIPOFF_URL": plane.url, "SHIPOFF_TOKEN": secret}
    assert (await ada.run("teams", "list", **narrow)).status == 0
    refused = await ada.run("tokens", "list", **narrow)
    assert (refused.status, "PERMISSION_DENIED" in refused.out) == (3, True)
    listed = await ada.ok("tokens", "list")
    assert "TEAM:READ" in listed
    assert secret not in listed
    wrong = await ada.run("tokens", "create", "x", "--scope", "ROOT:ALL")
    assert (wrong.status, "TOKEN_SCOPES_INVALID" in wrong.out) == (2, True)
    both = await ada.run("tokens", "create", "x", "--only", "a", "--project", "b")
    assert (both.status, "OPTIONS_CONFLICT" in both.out) == (2, True)
    await ada.ok("tokens", "revoke", token_id)
    assert (await ada.run("teams", "list", **narrow)).status == 3


async def test_a_project_has_guests_and_tokens(people: tuple[Cli, Cli, str]) -> None:
    ada, bob, address = people
    project = name()
    await ada.ok("projects", "create", project)
    link = (await ada.ok("members", "invite", address, "-p", project)).split("shipoff join '")[1].split("'")[0]
    assert "you are DEVELOPER on prj_" in await bob.ok("join", link)
    assert "guest" in await ada.ok("members", "list", "-p", project)
    why = await bob.ok("whoami", "--project", project)
    assert "DEPLOYMENT:CREATE needs DEVELOPER; DEVELOPER on the project" in why
    assert "PROJECT:DELETE needs ADMIN, and is DEVELOPER on the project" in why
    made = json.loads(await ada.ok("tokens", "create", "ci", "-p", project, "--role", "viewer", "--json"))
    assert made["token"]["role"] == "VIEWER"
    assert made["token"]["id"] in await ada.ok("tokens", "list", "-p", project)
    await ada.ok("members", "remove", address, "-p", project)
    assert (await bob.run("whoami", "--project", project)).status == 4


async def test_whoami_says_who_and_where(people: tuple[Cli, Cli, str]) -> None:
    _, bob, address = people
    assert address in await bob.ok("whoami")
    said = json.loads(await bob.ok("whoami", "--json"))
    assert (said["account"]["email"], [one["personal"] for one in said["teams"]]) == (address, [True])


async def test_teams_are_named_by_slug_and_ones_own_is_not_another_s_personal_team(
    people: tuple[Cli, Cli, str],
) -> None:
    ada, bob, address = people
    said = await ada.ok("members", "invite", address, "--role", "viewer")
    await bob.ok("join", said.split("shipoff join '")[1].split("'")[0])
    teams = json.loads(await bob.ok("teams", "list", "--json"))["teams"]
    assert sorted((one["personal"], one["role"]) for one in teams) == [(True, "OWNER"), (True, "VIEWER")]
    listed = json.loads(await bob.ok("members", "list", "--json"))["members"]
    assert [(one["email"], one["role"]) for one in listed] == [(address, "OWNER")]
    for one in teams:
        assert json.loads(await bob.ok("limits", "--team", one["slug"], "--json"))["limits"]
    own = next(one["slug"] for one in teams if one["role"] == "OWNER")
    assert "no hooks" in (await bob.ok("hooks", "list", "--team", own))
