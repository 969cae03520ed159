"""A release on part of the requests: weights, cookie and header, steps, and the end when it does worse."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import Platform, Repository, Visitors, ask

SERVER = """
const { VERSION, FAILS } = process.env
require('http').createServer((q, a) => {
  a.statusCode = FAILS ? 500 : 200
  a.end(`version ${VERSION}`)
}).listen(process.env.PORT)
"""
PACKAGE = '{"name": "app", "version": "1.0.0", "scripts": {"start": "node index.js"}}\n'
PROJECT = "tried"


@pytest.fixture(scope="module")
def releases(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Version -> release: 1 and 2 answer, 3 fails each request; 1 is live. Health is TCP, so 3 passes its gate."""
    platform.project(PROJECT, env={"VERSION": "1"})
    repository = Repository(platform, PROJECT, tmp_path_factory.mktemp(PROJECT))
    repository.write("package.json", PACKAGE)
    repository.write("index.js", SERVER)
    repository.write("shipoff.toml", "[health]\ntcp = true\n")
    repository.commit("one")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    made = {"1": str(platform.deployments(PROJECT)[0]["release_id"])}
    for version, fails in (("2", ""), ("3", "yes")):
        variables = {"VERSION": version, "FAILS": fails}
        _, body = platform.call("PUT", f"/v1/projects/{PROJECT}/env", {"set": variables})
        made[version] = platform.finished(PROJECT, body["deployment_id"])["release_id"]
    deploy(platform, made["1"])
    return made


def request(platform: Platform, release: str, **canary: Any) -> str:
    body = {"kind": "rollback", "release": release, "canary": canary}
    status, made = platform.call("POST", f"/v1/projects/{PROJECT}/deployments", body)
    assert status == 201, made
    return str(made["id"])


def deploy(platform: Platform, release: str, **canary: Any) -> dict[str, Any]:
    return platform.finished(PROJECT, request(platform, release, **canary))


def until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


def shown(platform: Platform, deployment: str, project: str = PROJECT) -> dict[str, Any]:
    _, found = platform.call("GET", f"/v1/projects/{project}/deployments/{deployment}")
    return dict(found)


def begun(platform: Platform, release: str, weight: int, **canary: Any) -> str:
    """A canary that has this share of the requests."""
    deployment = request(platform, release, **canary)
    until(lambda: (shown(platform, deployment)["canary"] or {}).get("weight") == weight, "the canary did not begin")
    return deployment


def steer(platform: Platform, deployment: str, order: str) -> int:
    return platform.call("POST", f"/v1/projects/{PROJECT}/deployments/{deployment}/canary", {"order": order})[0]


def test_a_good_release_goes_through_its_steps_and_gets_all_requests(
    platform: Platform, releases: dict[str, str]
) -> None:
    with Visitors(platform, PROJECT, marks=("version 1", "version 2")) as visitors:
        done = deploy(platform, releases["2"], steps=[20, 60], step_s=4)
        assert platform.get(PROJECT).text == "version 2"
    assert (done["state"], visitors.failures) == ("LIVE", [])
    assert visitors.seen == {"version 1", "version 2"}
    report = done["canary"]["report"]
    assert [(one["weight"], one["outcome"]) for one in report] == [(20, "fine"), (60, "fine")]
    assert all(one["canary"]["requests"] > 0 for one in report)
    deploy(platform, releases["1"])


def test_a_release_that_fails_is_ended_and_most_requests_never_saw_it(
    platform: Platform, releases: dict[str, str]
) -> None:
    with Visitors(platform, PROJECT, marks=("version 1",)) as visitors:
        done = deploy(platform, releases["3"], steps=[20], step_s=600)
        after = [platform.get(PROJECT).text for _ in range(20)]
    assert (done["state"], done["failure"]["reason"]) == ("FAILED", "CANARY_WORSE")
    assert done["failure"]["stage"] == "canary"
    assert done["canary"]["report"][-1]["outcome"] == "worse"
    assert set(after) == {"version 1"}
    assert 0 < len(visitors.failures) < visitors.answers / 2
    assert all(" 500 version 3" in failure for failure in visitors.failures)


def test_a_client_stays_where_its_cookie_says_and_a_header_chooses(
    platform: Platform, releases: dict[str, str]
) -> None:
    lane = {"cookie": "lane", "header": "X-Release"}
    deployment = begun(platform, releases["2"], 50, steps=[50], step_s=600, **lane)
    until(lambda: "set-cookie" in platform.get(PROJECT).headers, "the routers did not take it")
    seen: Counter[str] = Counter()
    for _ in range(30):
        first = platform.get(PROJECT)
        seen[first.text] += 1
        cookie = first.headers["set-cookie"].partition(";")[0]
        assert {platform.get(PROJECT, Cookie=cookie).text for _ in range(3)} == {first.text}
    assert set(seen) == {"version 1", "version 2"}
    for version in ("1", "2"):
        chosen = {platform.get(PROJECT, **{"X-Release": releases[version]}).text for _ in range(5)}
        assert chosen == {f"version {version}"}
    assert steer(platform, deployment, "abort") == 200
    assert platform.finished(PROJECT, deployment)["failure"]["reason"] == "CANARY_ABORTED"
    until(lambda: {platform.get(PROJECT).text for _ in range(20)} == {"version 1"}, "its share was not taken away")
    assert steer(platform, deployment, "promote") == 404


def test_a_newer_deployment_takes_the_canarys_share_away(platform: Platform, releases: dict[str, str]) -> None:
    deployment = begun(platform, releases["2"], 50, steps=[50], step_s=600)
    with Visitors(platform, PROJECT) as visitors:
        assert deploy(platform, releases["1"])["state"] == "LIVE"
        connection = platform.connect()
        assert {ask(connection, PROJECT).text for _ in range(20)} == {"version 1"}
    assert platform.finished(PROJECT, deployment)["state"] == "SUPERSEDED"
    assert visitors.failures == []


def test_an_order_gives_it_all_requests_before_its_time(platform: Platform, releases: dict[str, str]) -> None:
    deployment = begun(platform, releases["2"], 1, steps=[1, 2], step_s=600)
    with Visitors(platform, PROJECT) as visitors:
        assert steer(platform, deployment, "promote") == 200
        assert platform.finished(PROJECT, deployment)["state"] == "LIVE"
        assert platform.get(PROJECT).text == "version 2"
        until(lambda: shown(platform, deployment)["measured"] is not None, "the switch was never measured")
    assert visitors.failures == []
    cost = shown(platform, deployment)["measured"]
    assert (cost["failed"], cost["upstream_5xx"], cost["requests"] > 0) == (0, 0, True)


def test_what_is_no_plan_is_refused(platform: Platform, releases: dict[str, str]) -> None:
    done = deploy(platform, releases["1"], steps=[50, 20])
    assert (done["state"], done["failure"]["reason"]) == ("FAILED", "CANARY_INVALID")


def test_a_push_may_be_a_canary(platform: Platform, releases: dict[str, str], tmp_path: Path) -> None:
    deploy(platform, releases["1"])
    repository = Repository(platform, PROJECT, tmp_path)
    repository.write("package.json", PACKAGE)
    repository.write("index.js", "require('http').createServer((q, a) => a.end('pushed')).listen(process.env.PORT)\n")
    repository.commit("pushed")
    with Visitors(platform, PROJECT, marks=("version 1", "pushed")) as visitors:
        pushed = repository.push("main:refs/deploy/canary/50/3")
    assert pushed.status == 0, pushed.output
    assert "50 % of the requests go to" in pushed.output
    assert (visitors.failures, visitors.seen) == ([], {"version 1", "pushed"})
    assert platform.get(PROJECT).text == "pushed"


def test_a_static_site_is_tried_on_part_of_its_visitors(platform: Platform, tmp_path: Path) -> None:
    name = "tried-site"
    platform.project(name)
    repository = Repository(platform, name, tmp_path)

    def page(version: str, script: str) -> None:
        repository.write("index.html", f"<script src=/{script}></script> page {version}")
        repository.write(script, f"script {version}")
        repository.commit(version)

    page("one", "app.11111111.js")
    assert repository.push().status == 0
    (tmp_path / "app.11111111.js").unlink()
    page("two", "app.22222222.js")
    with Visitors(platform, name, marks=("page one", "page two")) as visitors:
        pushed = repository.push("main:refs/deploy/canary/50/4")
        assert pushed.status == 0, pushed.output
        assert {platform.get(name).text.rpartition(" ")[2] for _ in range(20)} == {"two"}
    assert (visitors.failures, visitors.seen) == ([], {"page one", "page two"})
    report = shown(platform, platform.deployments(name)[0]["id"], name)["canary"]["report"]
    assert [(one["weight"], one["outcome"]) for one in report] == [(50, "fine")]
    assert all(one[side]["requests"] > 20 for one in report for side in ("base", "canary"))
    # A page that came before the flip is still open in somebody's browser.
    assert platform.get(name, "/app.11111111.js").text == "script one"
    assert platform.get(name, "/app.22222222.js").text == "script two"
    release = platform.deployments(name)[1]["release_id"]
    back = {"kind": "rollback", "release": release, "canary": {"steps": [50], "step_s": 600}}
    _, made = platform.call("POST", f"/v1/projects/{name}/deployments", back)
    until(lambda: "set-cookie" in platform.get(name, Accept="text/html").headers, "the routers did not take it")
    for _ in range(20):
        first = platform.get(name, Accept="text/html")
        lane = first.headers["set-cookie"].partition(";")[0]
        assert {platform.get(name, Cookie=lane).text for _ in range(3)} == {first.text}
    status, _ = platform.call("POST", f"/v1/projects/{name}/deployments/{made['id']}/canary", {"order": "abort"})
    assert status == 200
    assert platform.finished(name, made["id"])["failure"]["reason"] == "CANARY_ABORTED"
    assert {platform.get(name).text.rpartition(" ")[2] for _ in range(20)} == {"two"}


def test_a_site_and_an_app_do_not_share_requests(platform: Platform, releases: dict[str, str], tmp_path: Path) -> None:
    deploy(platform, releases["1"])
    repository = Repository(platform, PROJECT, tmp_path)
    repository.write("index.html", "files")
    repository.commit("a site")
    pushed = repository.push("main:refs/deploy/canary/50/3")
    assert pushed.status != 0
    assert "CANARY_IMPOSSIBLE" in pushed.output
    assert platform.get(PROJECT).text == "version 1"
