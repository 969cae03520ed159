"""SIGKILL of each process of the platform in turn during a deployment: it ends, and apps are served meanwhile."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from tests.e2e.world import Platform, Pushed, Repository, Visitors

Checkout = Callable[..., Repository]

SERVICES = ("auth", "projects", "orchestrator", "logsink", "gateway", "router")
SERVERS = ("postgres", "valkey", "seaweed")
SERVER = "require('http').createServer((q, a) => a.end('version 1')).listen(process.env.PORT)\n"
PACKAGE = '{"name": "app", "version": "1.0.0", "scripts": {"build": "sleep 3", "start": "node index.js"}}\n'
ENDED = ("LIVE", "FAILED", "SUPERSEDED", "CANCELED", "INACTIVE")


@pytest.fixture(scope="module")
def numbers() -> list[int]:
    return [1]


@pytest.fixture(scope="module")
def app(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A small Node app whose build takes three seconds, deployed once."""
    directory = tmp_path_factory.mktemp("target")
    platform.project("target")
    repository = Repository(platform, "target", directory)
    repository.write("package.json", PACKAGE)
    repository.write("index.js", SERVER)
    repository.commit("works")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    return repository


def until(condition: Callable[[], bool], what: str, within_s: float = 90.0) -> None:
    """Polls; a platform whose parts are being killed may refuse an answer now and then."""
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        try:
            if condition():
                return
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.1)
    pytest.fail(what)


def healthy(platform: Platform) -> bool:
    return all(service["state"] == "ready" for service in platform.status()["services"])


def newest(platform: Platform) -> str:
    return str(platform.deployments("target")[0]["state"])


@pytest.mark.parametrize("state", ["BUILDING", "PROVISIONING"])
@pytest.mark.parametrize("victim", [*SERVICES, *SERVERS])
def test_a_killed_process_leaves_nothing_stuck_or_lost(
    victim: str, state: str, platform: Platform, app: Repository, numbers: list[int]
) -> None:
    before, number = f"version {numbers[-1]}", numbers[-1] + 1
    app.write("index.js", SERVER.replace("version 1", f"version {number}"))
    app.commit(f"version {number}")
    result: list[Pushed] = []
    pushing = threading.Thread(target=lambda: result.append(app.push()), daemon=True)
    known = len(platform.deployments("target"))
    with Visitors(platform, "target", marks=(before, f"version {number}")) as visitors:
        pushing.start()
        until(
            lambda: len(platform.deployments("target")) > known and newest(platform) in (state, *ENDED),
            f"the deployment did not reach {state}",
        )
        os.kill(platform.pid(victim), signal.SIGKILL)
        pushing.join(180)
        assert not pushing.is_alive(), "the push never ended"
        until(lambda: healthy(platform), f"{victim} did not come back")
        until(lambda: newest(platform) in ENDED, "the deployment never ended")
    if newest(platform) == "LIVE":
        numbers.append(number)
    assert platform.get("target").text == f"version {numbers[-1]}"
    assert visitors.answers > 0
    assert visitors.failures == []
