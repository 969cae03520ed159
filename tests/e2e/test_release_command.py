"""The release command runs once per release, before the flip; when it fails, what served before serves on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.world import Platform, Repository, Visitors

SERVER = "require('http').createServer((q, a) => a.end('version 1')).listen(process.env.PORT)\n"
PACKAGE = '{"name": "app", "version": "1.0.0", "scripts": {"start": "node index.js"}}\n'
MIGRATE = "console.log(`migrates with ${process.env.DATABASE} in ${process.cwd()}`)\n"
COMMAND = '[release]\ncommand = "node migrate.js"\n'


@pytest.fixture(scope="module")
def app(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    platform.project("migrated", env={"DATABASE": "one"})
    repository = Repository(platform, "migrated", tmp_path_factory.mktemp("migrated"))
    repository.write("package.json", PACKAGE)
    repository.write("index.js", SERVER)
    repository.write("migrate.js", MIGRATE)
    repository.write("shipoff.toml", COMMAND)
    repository.commit("version 1")
    return repository


def test_it_runs_before_the_first_request_and_only_once(platform: Platform, app: Repository) -> None:
    pushed = app.push()
    assert pushed.status == 0, pushed.output
    assert "migrates with one in /app" in pushed.output
    first = platform.deployments("migrated")[0]
    assert "command" in first["timings_ms"]
    _, changed = platform.call("PUT", "/v1/projects/migrated/env", {"set": {"DATABASE": "two"}})
    config = platform.finished("migrated", changed["deployment_id"])
    assert config["state"] == "LIVE"
    assert "migrates with two" in platform.build_log("migrated", config["id"]), "a new release runs its command"
    body: dict[str, Any] = {"kind": "rollback"}
    _, made = platform.call("POST", "/v1/projects/migrated/deployments", body)
    back = platform.finished("migrated", made["id"])
    assert back["state"] == "LIVE"
    assert "migrates" not in platform.build_log("migrated", back["id"]), "an old release does not run it again"


def test_its_failure_keeps_what_served(platform: Platform, app: Repository) -> None:
    app.write("migrate.js", "console.error('no such table'); process.exit(4)\n")
    app.write("index.js", SERVER.replace("version 1", "version 2"))
    app.commit("version 2")
    with Visitors(platform, "migrated", marks=("version 1", "version 2")) as visitors:
        pushed = app.push()
    assert pushed.status != 0
    for text in ("RELEASE_COMMAND_FAILED", "no such table", "4"):
        assert text in pushed.output, pushed.output
    failure = platform.deployments("migrated")[0]["failure"]
    assert (failure["stage"], failure["exit_status"]) == ("command", 4)
    assert (visitors.failures, visitors.seen) == ([], {"version 1"})
