"""A project that is linked to a repository elsewhere: a signed push is built, released and served."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import Platform
from tests.integration.orchestrator.remotes import Remote, served

TOKEN = "reader:correct-horse-battery-77"
SHOWN = "Basic " + base64.b64encode(TOKEN.encode()).decode()


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    made = Remote(tmp_path)
    with served(tmp_path, SHOWN, made.authorizations) as port:
        made.url = f"http://127.0.0.1:{port}/git/demo.git"
        yield made


def send(linked: dict[str, Any], kind: str, **data: Any) -> int:
    """One delivery by Standard Webhooks; returns the status."""
    body = json.dumps({"type": kind, "data": data}).encode()
    name, stamp = f"msg_{time.time_ns()}", str(int(time.time()))
    key = base64.b64decode(linked["webhook_secret"].removeprefix("whsec_"))
    made = base64.b64encode(hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")).decode()
    host, _, path = linked["link"]["webhook_url"].removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    headers = {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": f"v1,{made}"}
    connection.request("POST", f"/{path}", body, {"Content-Type": "application/json", **headers})
    status = connection.getresponse().status
    connection.close()
    return status


def until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.1)


def test_a_push_to_a_linked_repository_goes_live_and_a_pull_request_has_a_preview(
    platform: Platform, remote: Remote
) -> None:
    platform.project("hooked")
    wanted = {"provider": "git", "clone_url": remote.url, "root_dir": "site", "access_token": TOKEN}
    status, linked = platform.call("PUT", "/v1/projects/hooked/repository", wanted)
    assert status == 200, linked
    commit = remote.commit({"site/index.html": "from elsewhere"})
    assert send(linked, "push", branch="main", commit=commit, message="First") == 202
    until(lambda: bool(platform.deployments("hooked")), "the push became no deployment")
    done = platform.finished("hooked", platform.deployments("hooked")[0]["id"])
    log = platform.build_log("hooked", done["id"])
    assert done["state"] == "LIVE", (done, log)
    assert platform.get("hooked").text == "from elsewhere"
    assert set(remote.authorizations) == {SHOWN}
    assert "battery" not in log

    change = remote.commit({"site/index.html": "an idea"}, "refs/heads/idea")
    assert send(linked, "pull_request.updated", number=7, branch="idea", commit=change, title="An idea") == 202
    until(lambda: platform.get("hooked--pr-7").text == "an idea", "the pull request has no preview")
    assert platform.get("hooked").text == "from elsewhere"
    assert send(linked, "pull_request.closed", number=7) == 202
    until(lambda: platform.get("hooked--pr-7").status == 404, "the preview is still there")

    wrong = {**linked, "webhook_secret": "whsec_" + base64.b64encode(b"x" * 32).decode()}
    assert send(wrong, "push", branch="main", commit=change) == 401
    assert platform.get("hooked").text == "from elsewhere"
