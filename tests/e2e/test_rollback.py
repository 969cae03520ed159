"""What has served serves again without a build: old code and old variables, at once while it is warm."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.world import Platform, Repository, Visitors

# Each instance tells its version, a variable, and a number of its own, so that a test sees what was started anew.
SERVER = """
const boot = Math.random()
require('http').createServer((q, a) => a.end(`version 1 ${process.env.GREETING} boot ${boot}`)).listen(process.env.PORT)
"""
PACKAGE = '{"name": "app", "version": "1.0.0", "scripts": {"start": "node index.js"}}\n'


@pytest.fixture(scope="module")
def app(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Version 1 said hello, version 2 says goodbye and is live."""
    platform.project("again", env={"GREETING": "hello"})
    repository = Repository(platform, "again", tmp_path_factory.mktemp("again"))
    repository.write("package.json", PACKAGE)
    repository.write("index.js", SERVER)
    repository.commit("version 1")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    change(platform, GREETING="goodbye")
    repository.write("index.js", SERVER.replace("version 1", "version 2"))
    repository.commit("version 2")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    return repository


def change(platform: Platform, **variables: str) -> dict[str, Any]:
    status, body = platform.call("PUT", "/v1/projects/again/env", {"set": variables})
    assert status == 200, body
    return platform.finished("again", body["deployment_id"])


def bring_back(platform: Platform, **wanted: Any) -> dict[str, Any]:
    status, body = platform.call("POST", "/v1/projects/again/deployments", {"kind": "rollback", **wanted})
    assert status == 201, body
    return platform.finished("again", body["id"])


def releases(platform: Platform) -> list[dict[str, Any]]:
    _, body = platform.call("GET", "/v1/projects/again/releases")
    return list(body["releases"])


def test_a_rollback_to_what_is_warm_is_one_flip(platform: Platform, app: Repository) -> None:
    second = platform.get("again").text
    changed = change(platform, GREETING="welcome")
    assert (changed["state"], changed["kind"]) == ("LIVE", "config")
    assert "build" not in changed["timings_ms"]
    third = platform.get("again").text
    assert third.startswith("version 2 welcome")
    with Visitors(platform, "again", marks=("goodbye", "welcome")) as visitors:
        done = bring_back(platform)
        assert platform.get("again").text == second, "the instance that was warm serves, with its old variables"
    assert (done["state"], done["kind"]) == ("LIVE", "rollback")
    assert visitors.failures == []
    assert visitors.seen == {"goodbye", "welcome"}
    states = [(one["live"], one["warm"]) for one in releases(platform)[:2]]
    assert states == [(False, True), (True, False)]
    # and back again: the rollback's rollback is what it took the place of
    assert bring_back(platform)["state"] == "LIVE"
    assert platform.get("again").text == third


def test_a_rollback_to_what_is_cold_starts_it_again(platform: Platform, app: Repository) -> None:
    first = releases(platform)[-1]
    assert not first["warm"]
    with Visitors(platform, "again") as visitors:
        done = bring_back(platform, release=first["id"])
    assert done["state"] == "LIVE"
    assert done["release_id"] == first["id"]
    assert not {"fetch", "build", "artifact"} & set(done["timings_ms"])
    assert platform.get("again").text.startswith("version 1 hello")
    assert visitors.failures == []


def test_a_rollback_of_a_deployment_names_what_it_brought_live(platform: Platform, app: Repository) -> None:
    newest = next(one for one in releases(platform) if not one["live"])
    done = bring_back(platform, release=newest["deployment_id"])
    assert done["release_id"] == newest["id"]


def test_what_is_no_release_of_the_project_is_refused(platform: Platform, app: Repository) -> None:
    before = len(platform.deployments("again"))
    body = {"kind": "rollback", "release": "rel_0000"}
    status, problem = platform.call("POST", "/v1/projects/again/deployments", body)
    assert (status, problem["code"]) == (404, "RELEASE_NOT_FOUND")
    status, problem = platform.call("POST", "/v1/projects/again/deployments", {"kind": "promote"})
    assert (status, problem["code"]) == (400, "REQUEST_INVALID")
    assert len(platform.deployments("again")) == before
