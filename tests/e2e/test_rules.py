"""What an owner says of a site's routes is live at once, without a build, and a release keeps what was said of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.e2e.world import Platform, Repository

RULES = "/v1/projects/ruled/rules"
TOML = """
[rules.response_headers.set]
X-From = "repository"
[rules.rate_limit]
requests = 1000000
"""


@pytest.fixture(scope="module")
def site(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    platform.project("ruled")
    repository = Repository(platform, "ruled", tmp_path_factory.mktemp("ruled"))
    repository.write("index.html", "<h1>open</h1>")
    repository.write("shipoff.toml", TOML)
    repository.commit("a site")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    return repository


def say(platform: Platform, rules: dict[str, Any]) -> dict[str, Any]:
    status, body = platform.call("PUT", RULES, {"rules": rules})
    assert status == 200, body
    return platform.finished("ruled", body["deployment_id"])


def test_rules_are_live_without_a_build_and_go_with_their_release(platform: Platform, site: Repository) -> None:
    assert platform.get("ruled").headers["x-from"] == "repository"
    made = say(platform, {"maintenance": {"message": "back at noon", "allow": ["192.0.2.1"]}})
    assert (made["state"], made["kind"]) == ("LIVE", "config")
    assert "build" not in made["timings_ms"]
    closed = platform.get("ruled")
    assert (closed.status, closed.headers["x-shipoff-error"]) == (503, "MAINTENANCE")
    assert "back at noon" in closed.text

    status, body = platform.call("POST", "/v1/projects/ruled/deployments", {"kind": "rollback"})
    assert status == 201, body
    assert platform.finished("ruled", body["id"])["state"] == "LIVE"
    assert platform.get("ruled").status == 200, "the release before had no such rule"


def test_a_build_keeps_what_the_owner_said_over_what_the_repository_says(platform: Platform, site: Repository) -> None:
    say(platform, {"response_headers": {"set": {"X-From": "owner"}}, "basic_auth": {"users": {"ann": "correct horse"}}})
    site.write("index.html", "<h1>second</h1>")
    site.commit("second")
    pushed = site.push()
    assert pushed.status == 0, pushed.output
    assert platform.get("ruled").status == 401
    proof = base64.b64encode(b"ann:correct horse").decode()
    answer = platform.get("ruled", Authorization=f"Basic {proof}")
    assert (answer.status, answer.headers["x-from"]) == (200, "owner")
    assert "second" in answer.text
    _, shown = platform.call("GET", RULES)
    assert shown["rules"]["basic_auth"]["users"]["ann"].startswith("$scrypt$")
    assert say(platform, {})["state"] == "LIVE"
    assert platform.get("ruled").headers["x-from"] == "repository"


def test_rules_that_no_router_would_take_are_refused_with_all_faults(platform: Platform, site: Repository) -> None:
    status, body = platform.call("PUT", RULES, {"rules": {"allow": ["everybody"], "nonsense": 1}})
    assert (status, body["code"]) == (422, "RULES_INVALID")
    assert "allow.0" in body["detail"]
    assert "nonsense" in body["detail"]
    assert platform.get("ruled").status == 200
