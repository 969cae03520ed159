"""What goes wrong on the way is told in the pusher's terminal, and what served before serves on."""

import os
import threading
import time
from collections.abc import Callable

import pytest

from tests.e2e.world import Platform, Repository, Visitors

Checkout = Callable[..., Repository]

SERVER = "require('http').createServer((q, a) => a.end('fine')).listen(process.env.PORT)\n"
PACKAGE = '{"name": "app", "version": "1.0.0", "scripts": {"start": "node index.js"}}\n'


@pytest.fixture
def app(platform: Platform, checkout: Checkout, request: pytest.FixtureRequest) -> Repository:
    """A small Node app without dependencies, deployed once."""
    name = request.node.name.removeprefix("test_")[:38].strip("_").replace("_", "-")
    repository = checkout(name)
    repository.write("package.json", PACKAGE)
    repository.write("index.js", SERVER)
    repository.commit("works")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    return repository


def fails(platform: Platform, repository: Repository, code: str, *shown: str) -> None:
    """Pushes what cannot work; checks what the terminal shows, what the API says, and that the old release serves."""
    repository.commit("breaks")
    with Visitors(platform, repository.project, marks=("fine",)) as visitors:
        pushed = repository.push()
    assert pushed.status != 0, pushed.output
    for text in (code, *shown):
        assert text in pushed.output, pushed.output
    assert visitors.failures == []
    assert visitors.answers > 0
    newest = platform.deployments(repository.project)[0]
    assert (newest["state"], newest["failure"]["reason"]) == ("FAILED", code)
    assert newest["failure"]["stage"]
    assert newest["failure"]["hint"]


def test_a_failed_build(platform: Platform, app: Repository) -> None:
    app.write("package.json", PACKAGE.replace('"start"', '"build": "echo the reason; exit 7", "start"'))
    fails(platform, app, "BUILD_FAILED", "the reason", "7")


def test_an_app_that_crashes_at_start(platform: Platform, app: Repository) -> None:
    app.write("index.js", "console.error('cannot go on'); process.exit(3)\n")
    fails(platform, app, "APP_CRASHED", "cannot go on", "3")


def test_an_app_that_listens_on_no_port(platform: Platform, app: Repository) -> None:
    app.write("index.js", "console.log('idle by design'); setInterval(() => {}, 1000)\n")
    fails(platform, app, "APP_NOT_LISTENING", "PORT", "idle by design")


def test_an_app_that_never_answers(platform: Platform, app: Repository) -> None:
    app.write("index.js", "require('http').createServer(() => console.log('hanging')).listen(process.env.PORT)\n")
    fails(platform, app, "HEALTH_CHECK_TIMEOUT", "hanging")


def test_a_repository_of_no_known_kind(platform: Platform, checkout: Checkout) -> None:
    repository = checkout("shapeless")
    repository.write("notes.txt", "nothing to serve")
    repository.commit("notes")
    pushed = repository.push()
    assert pushed.status != 0
    for text in ("FRAMEWORK_UNKNOWN", "package.json", "FastAPI", "index.html", "run_command"):
        assert text in pushed.output, pushed.output


def test_a_repository_over_the_size_limit(platform: Platform, checkout: Checkout) -> None:
    repository = checkout("heavy", "static-html")
    (repository.directory / "big.bin").write_bytes(os.urandom(12 << 20))
    repository.commit("heavy")
    pushed = repository.push()
    assert pushed.status != 0
    assert "exceeds" in pushed.output or "too large" in pushed.output.lower(), pushed.output
    assert platform.get("heavy").status == 404


def test_a_bad_project_name_is_refused_with_a_hint(platform: Platform) -> None:
    for name in ("", "UPPER", "-x", "a" * 80, "a.b", "www"):
        status, body = platform.call("POST", "/v1/projects", {"name": name})
        assert 400 <= status < 500, (name, body)
        assert body["code"]
        assert body["hint"]


def test_an_unknown_project_and_a_wrong_token_are_told_apart(platform: Platform, checkout: Checkout) -> None:
    status, body = platform.call("GET", "/v1/projects/nowhere")
    assert (status, body["code"]) == (404, "PROJECT_NOT_FOUND")
    status, body = platform.call("GET", "/v1/projects", token="shp_wrong")
    assert (status, body["code"]) == (401, "TOKEN_INVALID")
    repository = checkout("stranger", "static-html")
    repository.git("remote", "set-url", "shipoff", f"{platform.gateway}/git/nowhere.git")
    pushed = repository.push()
    assert pushed.status != 0
    assert "nowhere" in pushed.output
    good, platform.token = platform.token, "shp_wrong"
    try:
        repository.git("remote", "set-url", "shipoff", f"{platform.gateway}/git/stranger.git")
        pushed = repository.push()
    finally:
        platform.token = good
    assert pushed.status != 0
    assert "token" in pushed.output.lower(), pushed.output


def test_a_newer_push_supersedes_one_that_builds(platform: Platform, app: Repository) -> None:
    app.write("package.json", PACKAGE.replace('"start"', '"build": "sleep 8", "start"'))
    app.commit("slow")
    slow: list[object] = []
    pushing = threading.Thread(target=lambda: slow.append(app.push("main")))
    pushing.start()
    until_building(platform, app.project)
    app.write("package.json", PACKAGE)
    app.write("index.js", SERVER.replace("fine", "newer"))
    app.commit("quick")
    pushed = app.push()
    pushing.join(60)
    assert pushed.status == 0, pushed.output
    assert "newer" in platform.get(app.project).text
    states = [deployment["state"] for deployment in platform.deployments(app.project)[:2]]
    assert states == ["LIVE", "SUPERSEDED"]
    assert slow[0].status != 0  # type: ignore[attr-defined]


def until_building(platform: Platform, project: str) -> None:
    for _ in range(200):
        if platform.deployments(project)[0]["state"] == "BUILDING":
            return
        time.sleep(0.05)
    raise AssertionError("the build did not begin")
