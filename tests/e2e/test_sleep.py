"""Every app that may sleep does, and of a hundred first visitors none is turned away and one start serves all."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.test_examples import ALL, SLEEPY, Example, can_run
from tests.e2e.world import Answer, Platform, Repository

Checkout = Callable[..., Repository]
DYNAMIC = [example for example in ALL if example.dynamic]
VISITORS = 100


def admin(platform: Platform, service: str, path: str) -> str:
    """What an admin door says."""
    admins = json.loads((platform.directory / "status.json").read_text())["admins"]
    connection = http.client.HTTPConnection(admins[service], timeout=10)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def woken(platform: Platform) -> float:
    found = re.search(r"^shipoff_releases_woken_total (\S+)", admin(platform, "orchestrator", "/metrics"), re.MULTILINE)
    assert found is not None
    return float(found[1])


def release(platform: Platform, project: str) -> dict[str, Any]:
    """The release that serves, as a router worker knows it."""
    found = json.loads(admin(platform, "router", f"/debug/lookup?host={project}.localhost&path=/"))
    return dict(found["workers"][0]["releases"][0])


def until_asleep(platform: Platform, project: str) -> None:
    give_up = time.monotonic() + 60
    while (known := release(platform, project))["state"] != "asleep" or known["endpoints"]:
        assert time.monotonic() < give_up, known
        time.sleep(0.1)


@pytest.mark.parametrize("example", DYNAMIC, ids=lambda example: example.name)
def test_one_start_serves_all_who_come_while_it_sleeps(
    example: Example, platform: Platform, checkout: Checkout
) -> None:
    if not can_run(example):
        pytest.skip("no PHP on this machine and none could be unpacked")
    if platform.call("GET", f"/v1/projects/{example.name}")[0] == 404:
        repository = checkout(example.name, example.name)
        repository.write("shipoff.toml", SLEEPY)
        repository.commit("may sleep")
        assert repository.push().status == 0
    until_asleep(platform, example.name)
    before = woken(platform)

    def visit(_: int) -> Answer:
        return platform.get(example.name)

    with ThreadPoolExecutor(VISITORS) as visitors:
        answers = list(visitors.map(visit, range(VISITORS)))
    assert {answer.status for answer in answers} == {200}
    # How many came before it was up is the machine's affair; those who did are told what it cost them.
    assert any("cold;dur=" in answer.headers["server-timing"] for answer in answers)
    assert woken(platform) - before == 1
    served = release(platform, example.name)
    assert (served["state"], len(served["endpoints"])) == ("running", 1)
    assert "cold;dur=" not in platform.get(example.name).headers["server-timing"]
    if example is DYNAMIC[0]:
        told(platform, example.name, answers[0].headers["x-request-id"])


def test_who_is_deployed_while_it_sleeps_is_awake_then(platform: Platform) -> None:
    project = DYNAMIC[0].name
    until_asleep(platform, project)
    status, body = platform.call("PUT", f"/v1/projects/{project}/env", {"set": {"ANOTHER": "value"}})
    assert status == 200, body
    assert platform.finished(project, body["deployment_id"])["state"] == "LIVE"
    for _ in range(3):  # a keeper that thought it asleep would end it within a moment
        served = release(platform, project)
        assert (served["state"], len(served["endpoints"])) == ("running", 1)
        time.sleep(1)


def told(platform: Platform, project: str, request: str) -> None:
    """What `shipoff explain` tells of the first visit, once the log has it, and of the next."""
    give_up = time.monotonic() + 30
    while (found := platform.call("GET", f"/v1/projects/{project}/explain?request={request}"))[0] == 404:
        assert time.monotonic() < give_up, found
        time.sleep(0.2)
    said = "\n".join(found[1]["said"])
    assert "had to be woken for it, answered 200" in said, said
    assert "waiting for the app's cold start" in said, said
    status, body = platform.call("GET", f"/v1/projects/{project}/explain?url=http://{project}.localhost:8080/any")
    assert status == 200, body
    said = "\n".join(body["said"])
    assert "it runs on 1 instance" in said, said
    assert "router workers serve that." in said, said
    assert [one["instance"] for one in body["router"]["instances"]] == body["releases"][0]["instances"]
    status, body = platform.call("GET", f"/v1/projects/{project}/explain?url=nobody.example.org")
    assert (status, body["route"]) == (200, None)
    assert "404 NO_ROUTE" in body["said"][0]
