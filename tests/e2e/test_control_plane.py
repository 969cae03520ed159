"""From an address to a rollback, by the public API alone: two people, a team, a repository on GitHub, a domain."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.hosts import Outside
from tests.e2e.people import Person, encoded
from tests.e2e.world import Platform

PROJECT, REPOSITORY, BRANCH_HOST = "bakery", "octo-org/bakery", "bakery--pr-7"
DOMAIN = "bread.example.test"


class Story:
    """What the chapters share."""

    ada: Person
    bob: Person
    team: str
    commits: dict[str, str]


@pytest.fixture(scope="module")
def story(platform: Platform) -> Story:
    made = Story()
    made.ada = Person(platform, "ada@bakery.example.com", "Ada")
    made.bob = Person(platform, "bob@bakery.example.com", "Bob")
    made.commits = {}
    return made


def until(condition: Callable[[], bool], within_s: float = 90.0) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.2)


def page(platform: Platform, host: str) -> tuple[int, str]:
    """What the router answers at a host."""
    connection = platform.connect()
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer: http.client.HTTPResponse = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def tell(platform: Platform, outside: Outside, event: str, payload: dict[str, Any]) -> None:
    """GitHub tells the platform of something."""
    body = encoded(payload)
    host, _, port = platform.gateway.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("POST", "/v1/webhooks/github", body, outside.github.signed(event, body))
    answer = connection.getresponse()
    assert answer.status == 202, answer.read()
    connection.close()


def push(installation: int, commit: str, before: str) -> dict[str, Any]:
    head = {"id": commit, "message": "Bake", "added": [], "removed": [], "modified": ["index.html"]}
    return {
        "ref": "refs/heads/main", "before": before, "after": commit, "created": False, "forced": False,
        "deleted": False, "commits": [head], "head_commit": head, "repository": {"id": 77, "full_name": REPOSITORY},
        "installation": {"id": installation},
    }  # fmt: skip


def pull(installation: int, commit: str, action: str) -> dict[str, Any]:
    head = {"sha": commit, "ref": "rye", "repo": {"id": 77}}
    return {
        "action": action, "number": 7,
        "pull_request": {"title": "Rye", "head": head, "base": {"repo": {"id": 77}}, "updated_at": commit},
        "repository": {"id": 77, "full_name": REPOSITORY}, "installation": {"id": installation},
    }  # fmt: skip


def test_somebody_joins_with_a_second_factor(story: Story) -> None:
    story.ada.join()
    story.ada.enrol()


def test_a_team_is_made_and_somebody_invited(story: Story) -> None:
    ada, bob = story.ada, story.bob
    story.team = ada.ask("POST", "/v1/teams", {"name": "The bakery", "slug": "bakery"}, 201)["id"]
    bob.join()
    assert bob.ask("GET", f"/v1/teams/{story.team}", status=404)["code"] == "TEAM_NOT_FOUND"
    ada.ask("POST", f"/v1/teams/{story.team}/invitations", {"email": bob.address, "role": "DEVELOPER"}, 201)
    token = bob.mailed("invit")
    bob.ask("POST", "/v1/invitations/accept", {"token": token})
    bob.ask("POST", "/v1/invitations/accept", {"token": token}, 404)
    members = ada.ask("GET", f"/v1/teams/{story.team}/members")["members"]
    assert {one["email"]: one["role"] for one in members} == {ada.address: "OWNER", bob.address: "DEVELOPER"}


def test_a_push_to_the_linked_repository_is_served(story: Story, platform: Platform, outside: Outside) -> None:
    ada, bob, server = story.ada, story.bob, outside.github.server
    assert bob.ask("POST", "/v1/projects", {"name": PROJECT, "team": story.team}, 201)["team_id"] == story.team
    installation = server.installed("octo-org", bakery=77)
    server.user("code-of-ada", "ada", installations=[installation.id], roles={"octo-org": "admin"})
    begun = ada.ask("POST", f"/v1/teams/{story.team}/installations", {})
    state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
    claim = f"/v1/github/setup?installation_id={installation.id}&code=code-of-ada&state={state}"
    ada.ask("GET", claim)
    server.repository(REPOSITORY)
    link = {"provider": "github", "repository": REPOSITORY, "installation_id": installation.id}
    bob.ask("PUT", f"/v1/projects/{PROJECT}/repository", link, 403)  # developers don't choose where code comes from
    ada.ask("PUT", f"/v1/projects/{PROJECT}/repository", link)
    story.commits["installation"] = str(installation.id)
    before = "0" * 40
    for text in ("white bread", "brown bread"):
        commit = server.commit(REPOSITORY, "refs/heads/main", {"index.html": f"<h1>{text}</h1>\n"})
        tell(platform, outside, "push", push(installation.id, commit, before))
        until(lambda text=text: text in page(platform, f"{PROJECT}.localhost")[1])  # type: ignore[misc]
        story.commits[text] = before = commit
    until(lambda: any(one["state"] == "success" for one in server.statuses))


def test_a_pull_request_has_a_preview_until_it_is_closed(story: Story, platform: Platform, outside: Outside) -> None:
    server, installation = outside.github.server, int(story.commits["installation"])
    commit = server.commit(REPOSITORY, "refs/pull/7/head", {"index.html": "<h1>rye bread</h1>\n"})
    tell(platform, outside, "pull_request", pull(installation, commit, "opened"))
    until(lambda: "rye bread" in page(platform, f"{BRANCH_HOST}.localhost")[1])
    until(lambda: any(BRANCH_HOST in one["body"] for one in server.comments.values()))
    assert len(server.comments) == 1
    tell(platform, outside, "pull_request", pull(installation, commit, "closed"))
    until(lambda: page(platform, f"{BRANCH_HOST}.localhost")[0] == 404)
    assert "brown bread" in page(platform, f"{PROJECT}.localhost")[1]


def test_a_domain_is_served_once_the_dns_proves_it(story: Story, platform: Platform, outside: Outside) -> None:
    ada, domains = story.ada, f"/v1/projects/{PROJECT}/domains"
    made = ada.ask("POST", domains, {"name": DOMAIN}, 201)
    assert ada.ask("POST", f"{domains}/{made['id']}/check", {})["state"] == "pending"
    assert page(platform, DOMAIN)[0] == 404
    record = next(one for one in made["records"] if one["type"] == "TXT")
    outside.names.txt(record["name"], record["value"])
    assert ada.ask("POST", f"{domains}/{made['id']}/check", {})["state"] == "verified"
    until(lambda: "brown bread" in page(platform, DOMAIN)[1])


def test_a_rollback_is_served_everywhere_and_all_of_it_was_told(story: Story, platform: Platform) -> None:
    story.bob.ask("POST", f"/v1/projects/{PROJECT}/deployments", {"kind": "rollback"}, 201)
    for host in (f"{PROJECT}.localhost", DOMAIN):
        until(lambda host=host: "white bread" in page(platform, host)[1])  # type: ignore[misc]
    audit = f"/v1/teams/{story.team}/audit"
    assert story.bob.ask("GET", audit, status=403)["code"] == "PERMISSION_DENIED"
    until(lambda: any(one["action"].startswith("deployment.") for one in story.ada.ask("GET", audit)["events"]))
    told = {one["action"] for one in story.ada.ask("GET", f"{audit}?limit=100")["events"]}
    assert any(one.startswith("invitation.") for one in told), told
    assert any(one.startswith("domain.") for one in told), told
    story.bob.ask("DELETE", f"/v1/projects/{PROJECT}", status=403)
    story.ada.ask("DELETE", f"/v1/projects/{PROJECT}", status=204)
    until(lambda: page(platform, DOMAIN)[0] == page(platform, f"{PROJECT}.localhost")[0] == 404)
