"""Every example: pushed with the real git, served, and replaced, scaled and rolled back under constant requests.

Not one of them may fail. That those which may sleep do, and wake, is for test_sleep.py.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from stack import runtimes
from tests.e2e.world import Platform, Repository, Visitors

Checkout = Callable[..., Repository]


# What test_sleep.py needs: by the time that it comes, these have slept for long.
SLEEPY = "[scaling]\nmin = 0\nmax = 1\nidle_s = 10\n"


@dataclass(frozen=True)
class Example:
    """An example, the file of its message, a second page and what that must contain; whether a process serves it."""

    name: str
    file: str
    second: str
    expected: str
    dynamic: bool = True


ALL = [
    Example("static-html", "index.html", "/guides/", "<html", dynamic=False),
    Example("vite-spa", "src/message.js", "/boats/2", "<div id=", dynamic=False),
    Example("node-express", "src/server.js", "/api/notes", "["),
    Example("next", "app/message.js", "/api/time", "{"),
    Example("python-flask", "app.py", "/api/temperature?celsius=21", "294"),
    Example("python-fastapi", "main.py", "/api/trips", "["),
    Example("php-plain", "public/index.php", "/api/tides?days=2", "["),
]


def can_run(example: Example) -> bool:
    """Whether this machine has what the example runs on."""
    return example.name != "php-plain" or shutil.which("php") is not None or runtimes.has_php()


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_a_pushed_example_is_served_and_replaced_without_a_failed_request(
    example: Example, platform: Platform, checkout: Checkout
) -> None:
    if not can_run(example):
        pytest.skip("no PHP on this machine and none could be unpacked")
    before, after = f"Hello from {example.name}", f"Changed {example.name}"
    repository = checkout(example.name, example.name)
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    assert f"live at http://{example.name}.localhost" in pushed.output
    page = platform.get(example.name)
    assert page.status == 200
    assert before in page.text
    second = platform.get(example.name, example.second)
    assert (second.status, example.expected in second.text) == (200, True), second

    repository.replace(example.file, before, after)
    if example.dynamic:
        repository.write("shipoff.toml", SLEEPY)
    repository.commit("second")
    with Visitors(platform, example.name, marks=(before, after)) as visitors:
        pushed = repository.push()
        assert pushed.status == 0, pushed.output
        assert after in platform.get(example.name).text
    assert visitors.failures == []
    assert visitors.seen == {before, after}
    live = [d for d in platform.deployments(example.name) if d["state"] == "LIVE"]
    assert len(live) == 1
    if example.dynamic:
        scaled(platform, example)
    rolled_back(platform, example, before, after)


def scaled(platform: Platform, example: Example) -> None:
    """To two instances, and back to what its settings say."""
    with Visitors(platform, example.name) as visitors:
        for wanted, count in (({"instances": 2}, 2), ({"auto": True}, 1)):
            status, body = platform.call("POST", f"/v1/projects/{example.name}/scale", wanted)
            assert status == 200, body
            give_up = time.monotonic() + 60
            while ready(platform, example.name) != count:
                assert time.monotonic() < give_up
                time.sleep(0.1)
    assert visitors.failures == []


def ready(platform: Platform, project: str) -> int:
    """How many instances of the live release serve; those of the one before may still be warm."""
    _, found = platform.call("GET", f"/v1/projects/{project}/releases")
    (live,) = [one["id"] for one in found["releases"] if one["live"]]
    _, body = platform.call("GET", f"/v1/projects/{project}/instances")
    return [one["state"] for one in body["instances"] if one["release_id"] == live].count("ready")


def rolled_back(platform: Platform, example: Example, before: str, after: str) -> None:
    """To what it was before, and from there to what it was then."""
    with Visitors(platform, example.name, marks=(before, after)) as visitors:
        for message in (before, after):
            status, body = platform.call("POST", f"/v1/projects/{example.name}/deployments", {"kind": "rollback"})
            assert status == 201, body
            done = platform.finished(example.name, body["id"])
            assert (done["state"], done["kind"]) == ("LIVE", "rollback"), done
            assert message in platform.get(example.name).text
    assert visitors.failures == []
    assert visitors.seen == {before, after}


def test_what_the_router_says_of_static_files(platform: Platform, checkout: Checkout) -> None:
    repository = checkout("static-rules", "static-html")
    assert repository.push().status == 0
    page = platform.get("static-rules", "/")
    assert platform.get("static-rules", "/", **{"If-None-Match": page.headers["etag"]}).status == 304
    part = platform.get("static-rules", "/", Range="bytes=0-8")
    assert (part.status, part.text) == (206, page.text[:9])
    missing = platform.get("static-rules", "/none", Accept="text/html")
    assert missing.status == 404
    assert "<html" in missing.text
    assert platform.get("static-rules", "/../../etc/passwd").status in (400, 404)


def test_env_vars_reach_the_app_with_the_next_deployment(platform: Platform, checkout: Checkout) -> None:
    repository = checkout("greeter", "node-express")
    assert repository.push().status == 0
    assert "Welcome" in platform.get("greeter").text
    status, body = platform.call("PUT", "/v1/projects/greeter/env", {"set": {"GREETING": "Ahoy"}})
    assert status == 200, body
    repository.commit("again")
    assert repository.push().status == 0
    assert "Ahoy" in platform.get("greeter").text
