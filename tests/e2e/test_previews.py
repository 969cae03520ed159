"""A branch has a preview with a host of its own, which goes with it; production is not touched."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.e2e.world import Platform, Repository, Visitors

SERVER = "require('http').createServer((q, a) => a.end('main' + (process.env.PLACE || ''))).listen(process.env.PORT)\n"
PACKAGE = '{"name": "app", "version": "1.0.0", "scripts": {"start": "node index.js"}}\n'


@pytest.fixture(scope="module")
def app(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    platform.project("viewed")
    repository = Repository(platform, "viewed", tmp_path_factory.mktemp("viewed"))
    repository.write("package.json", PACKAGE)
    repository.write("index.js", SERVER)
    repository.commit("main")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    return repository


def until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.1)


def instances(platform: Platform, project: str) -> int:
    _, body = platform.call("GET", f"/v1/projects/{project}/instances")
    return sum(one["state"] in ("starting", "ready", "draining") for one in body["instances"])


def live(platform: Platform) -> set[str]:
    """The environments in which something is live."""
    return {one["environment"] for one in platform.deployments("viewed") if one["state"] == "LIVE"}


def test_a_branch_is_previewed_promoted_and_taken_down(platform: Platform, app: Repository) -> None:
    for place in ("production", "preview"):
        body = {"set": {"PLACE": f" in {place}"}, "environment": place, "deploy": False}
        assert platform.call("PUT", "/v1/projects/viewed/env", body)[0] == 200
    app.git("checkout", "-q", "-b", "idea")
    app.replace("index.js", "'main'", "'idea'")
    app.commit("idea")
    pushed = app.push("idea")
    assert pushed.status == 0, pushed.output
    assert "live at http://viewed--idea.localhost" in pushed.output
    assert (platform.get("viewed").text, platform.get("viewed--idea").text) == ("main", "idea in preview")
    assert platform.deployments("viewed")[0]["environment"] == "preview/idea"
    _, body = platform.call("GET", "/v1/projects/viewed/previews")
    assert [one["environment"] for one in body["previews"]] == ["preview/idea"]

    with Visitors(platform, "viewed", marks=("main", "idea")) as visitors:
        wanted = {"kind": "promote", "release": "preview/idea"}
        _, made = platform.call("POST", "/v1/projects/viewed/deployments", wanted)
        done = platform.finished("viewed", made["id"])
        assert (done["state"], done["environment"]) == ("LIVE", "production")
        assert platform.get("viewed").text == "idea in production", "with the variables of where it went"
    assert visitors.failures == []

    assert app.git("push", "shipoff", ":idea").returncode == 0
    until(lambda: platform.get("viewed--idea").status == 404, "the preview is still routed")
    assert platform.get("viewed").text == "idea in production", "what was promoted is production's own"
    _, body = platform.call("GET", "/v1/projects/viewed/previews")
    assert body["previews"] == []
    until(
        lambda: all(
            one["state"] != "LIVE" or one["environment"] == "production" for one in platform.deployments("viewed")
        ),
        "the preview's deployment is still live",
    )


def test_a_deleted_project_leaves_nothing_running(platform: Platform, app: Repository) -> None:
    assert instances(platform, "viewed") > 0
    _, project = platform.call("GET", "/v1/projects/viewed")
    assert platform.call("DELETE", "/v1/projects/viewed")[0] == 204
    assert platform.call("GET", "/v1/projects/viewed")[0] == 404
    until(lambda: platform.get("viewed").status == 404, "the project is still routed")
    until(lambda: not list(platform.directory.rglob(f"{project['id']}.git")), "its repository is still there")
