"""Teams, members, invitations, tokens and the audit log through the public API."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from tests.integration.control.driver import Driver, Plane
from tests.integration.control.security.world import account, name


class Caller:
    """Somebody with an account, and a token of it."""

    def __init__(self, driver: Driver, account_id: str, token: str) -> None:
        self.id, self.token, self._driver = account_id, token, driver
        self.email = f"{account_id}@example.org"

    async def call(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._driver.http.request(method, f"/v1/{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == status, (method, path, answer.status, text)
            return await answer.json(content_type=None) if text else None


@pytest.fixture
async def people(plane: Plane, driver: Driver) -> list[Caller]:
    """Two, whose addresses are proven, each with a team of their own."""
    made = [Caller(driver, *await account(plane)) for _ in range(2)]
    connection = await asyncpg.connect(plane.environment["SHIPOFF_AUTH_DATABASE_URL"])
    try:
        await connection.execute("update accounts set verified_at = now()")
        await connection.execute(
            "insert into team_members (team_id, account_id, role) select id, personal_of, 'OWNER' from teams"
            " where personal_of is not null on conflict do nothing"
        )
    finally:
        await connection.close()
    return made


async def test_from_a_team_to_a_member_by_invitation(people: list[Caller]) -> None:
    ada, bob = people
    slug = name()
    team = await ada.call("POST", "teams", {"name": "Acme", "slug": slug}, 201)
    assert (team["slug"], team["role"], team["personal"]) == (slug, "OWNER", False)
    at = f"teams/{team['id']}"
    sent = await ada.call("POST", f"{at}/invitations", {"email": bob.email, "role": "DEVELOPER"}, 201)
    assert [one["id"] for one in (await ada.call("GET", f"{at}/invitations"))["invitations"]] == [
        sent["invitation"]["id"]
    ]
    token = parse_qs(urlsplit(sent["accept_url"]).query)["token"][0]
    refused = await ada.call("POST", "invitations/accept", {"token": token}, 403)
    assert refused["code"] == "INVITATION_FOR_ANOTHER"
    got = await bob.call("POST", "invitations/accept", {"token": token})
    assert (got["team_name"], got["role"], got["project_id"]) == ("Acme", "DEVELOPER", None)
    assert (await bob.call("POST", "invitations/accept", {"token": token}, 404))["code"] == "INVITATION_VOID"
    roles = {one["email"]: one["role"] for one in (await bob.call("GET", f"{at}/members"))["members"]}
    assert roles == {ada.email: "OWNER", bob.email: "DEVELOPER"}
    changed = await ada.call("PATCH", f"{at}/members/{bob.id}", {"role": "ADMIN"})
    assert changed["role"] == "ADMIN"
    assert (await bob.call("PATCH", f"{at}/members/{ada.id}", {"role": "VIEWER"}, 403))["code"] == "ROLE_TOO_HIGH"
    assert (await ada.call("POST", f"{at}/leave", None, 409))["code"] == "LAST_OWNER"
    assert (await ada.call("POST", f"{at}/transfer", {"account": bob.id}))["role"] == "ADMIN"
    await ada.call("POST", f"{at}/leave", None, 204)
    assert (await ada.call("GET", at, None, 404))["code"] == "TEAM_NOT_FOUND"
    assert (await bob.call("PATCH", at, {"name": "Bob's"}))["name"] == "Bob's"
    log = await bob.call("GET", f"{at}/audit?action=member.&limit=2")
    assert [(one["action"], one["actor_id"], one["target"]) for one in log["events"]] == [
        ("member.delete", ada.id, ada.id),
        ("member.update", ada.id, ada.id),
    ]
    more = await bob.call("GET", f"{at}/audit?action=member.&cursor={log['next_cursor']}")
    assert [one["target"] for one in more["events"]] == [bob.id, bob.id, bob.id]
    assert more["events"][1]["after"] == {"role": "ADMIN"}
    assert all(one["address"] == "127.0.0.1" and one["request_id"] for one in log["events"])
    await bob.call("DELETE", at, None, 204)


async def test_a_project_has_guests_and_tokens_of_its_own(people: list[Caller]) -> None:
    ada, bob = people
    project = await ada.call("POST", "projects", {"name": name()}, 201)
    at = f"projects/{project['id']}"
    await bob.call("GET", at, None, 404)
    sent = await ada.call("POST", f"{at}/invitations", {"email": bob.email, "role": "VIEWER"}, 201)
    again = f"{at}/invitations/{sent['invitation']['id']}"
    assert (await ada.call("POST", f"{again}/resend", None, 429))["code"] == "INVITATION_TOO_SOON"
    await ada.call("DELETE", again, None, 204)
    member = await ada.call("POST", f"{at}/members", {"account": bob.id, "role": "VIEWER"}, 201)
    assert (member["role"], member["in_team"]) == ("VIEWER", False)
    assert (await bob.call("GET", at))["id"] == project["id"]
    decided = (await bob.call("GET", f"me/permissions?project={project['name']}"))["permissions"]
    rules = {one["permission"]: (one["allowed"], one["rule"]) for one in decided}
    assert rules["PROJECT:READ"] == (True, "PROJECT:READ needs VIEWER; VIEWER on the project")
    assert rules["PROJECT:DELETE"] == (False, "PROJECT:DELETE needs ADMIN, and is VIEWER on the project")
    assert (await bob.call("GET", f"me/permissions?team={project['team_id']}", None, 404))["code"] == "TEAM_NOT_FOUND"
    await bob.call("POST", f"{at}/leave", None, 204)
    await bob.call("GET", f"me/permissions?project={project['id']}", None, 404)
    body = {"name": "ci", "role": "DEVELOPER", "scopes": ["PROJECT:READ"], "expires_in_days": 30}
    made = await ada.call("POST", f"{at}/tokens", body, 201)
    robot = Caller(ada._driver, "", made["secret"])
    assert (await robot.call("GET", at))["id"] == project["id"]
    await robot.call("DELETE", at, None, 403)
    assert (await robot.call("GET", "me/tokens", None, 403))["code"] == "ACCOUNT_REQUIRED"
    (listed,) = (await ada.call("GET", f"{at}/tokens"))["tokens"]
    assert (listed["scopes"], listed["role"], bool(listed["expires_at"])) == (["PROJECT:READ"], "DEVELOPER", True)
    await ada.call("DELETE", f"{at}/tokens/{listed['id']}", None, 204)
    await robot.call("GET", at, None, 401)


async def test_a_token_of_ones_own_is_cut_down(people: list[Caller]) -> None:
    ada = people[0]
    project = await ada.call("POST", "projects", {"name": name()}, 201)
    made = await ada.call("POST", "me/tokens", {"name": "x", "project": project["name"]}, 201)
    assert made["token"]["project_id"] == project["id"]
    narrow = Caller(ada._driver, ada.id, made["secret"])
    assert [one["id"] for one in (await narrow.call("GET", "projects"))["projects"]] == [project["id"]]
    assert (await narrow.call("POST", "teams", {"name": "x", "slug": name()}, 403))["code"] == "ACCOUNT_REQUIRED"
    for body, code in (
        ({"name": "x", "scopes": []}, "TOKEN_SCOPES_INVALID"),
        ({"name": "x", "expires_in_days": 0}, "BODY_INVALID"),
        ({"name": "x", "account_id": "acc_1"}, "BODY_INVALID"),
    ):
        assert (await ada.call("POST", "me/tokens", body, 422))["code"] == code
    other = await people[1].call("POST", "projects", {"name": name()}, 201)
    missing = await ada.call("POST", "me/tokens", {"name": "x", "project": other["id"]}, 404)
    assert missing["code"] == "PROJECT_NOT_FOUND"
    await narrow.call("DELETE", f"me/tokens/{made['token']['id']}", None, 204)
    await narrow.call("GET", "projects", None, 401)
