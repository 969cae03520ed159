"""What a push brings besides its code: shipoff.toml, workers, cron jobs, submodules, secrets; and what it is told."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.world import Platform, Repository

Checkout = Callable[..., Repository]

SECRET = "tok-5f9d2c71b8e04a66"
CHATTY = """
const secret = process.env.API_TOKEN
console.log(`plain ${secret}`)
console.error('encoded ' + Buffer.from('user:' + secret).toString('base64'))
"""
SERVER = """
const text = process.env.API_TOKEN ? 'leaks' : 'fine'
require('http').createServer((request, answer) => answer.end(text)).listen(process.env.PORT)
"""


def eventually(find: Callable[[], Any], within_s: float) -> Any:
    """The first true answer."""
    give_up = time.monotonic() + within_s
    while not (found := find()):
        assert time.monotonic() < give_up, "it never came"
        time.sleep(0.5)
    return found


def running_lines(platform: Platform, project: str) -> list[str]:
    """What the project's processes said."""
    _, lines = platform.call("GET", f"/v1/projects/{project}/logs?source=run&tail=1000")
    return [line["text"] for line in lines]


def runs(platform: Platform, project: str) -> list[dict[str, Any]]:
    """Runs of cron jobs that have ended."""
    _, found = platform.call("GET", f"/v1/projects/{project}/crons")
    return [run for run in found["runs"] if run["state"] == "done"]


def test_a_service_of_a_monorepo_has_a_worker_a_cron_job_and_a_release_command(
    platform: Platform, checkout: Checkout
) -> None:
    repository = checkout("worker-cron", "worker-cron", root_dir="services/notes")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    for line in ("in       services/notes", "cron     report at * * * * * UTC", "migrate: the schema is at version 3"):
        assert line in pushed.output, pushed.output
    assert "Hello from worker-cron. Welcome!" in platform.get("worker-cron").text

    _, found = platform.call("GET", "/v1/projects/worker-cron/releases")
    assert [job["name"] for job in found["releases"][0]["plan"]["crons"]] == ["report"]

    repository.replace("services/notes/src/server.js", "Hello from worker-cron", "Changed worker-cron")
    repository.commit("second")
    assert repository.push().status == 0
    assert "Changed worker-cron" in platform.get("worker-cron").text
    repository.commit("nothing changed")
    again = repository.push()
    assert again.status == 0
    assert "artifact: unchanged" in again.output, again.output

    eventually(lambda: "worker: nothing to send" in running_lines(platform, "worker-cron"), 20)
    run = eventually(lambda: runs(platform, "worker-cron"), 90)[0]
    assert (run["name"], run["exit_status"]) == ("report", 0)
    eventually(lambda: any(line.startswith("report: ") for line in running_lines(platform, "worker-cron")), 20)


def test_every_fault_of_shipoff_toml_is_told_in_the_pushers_terminal(platform: Platform, checkout: Checkout) -> None:
    repository = checkout("typo", "static-html")
    repository.write("shipoff.toml", '[biuld]\ncommand = "x"\n[scaling]\nmin = -1\n')
    repository.commit("typing errors")
    pushed = repository.push()
    assert pushed.status != 0
    for text in ("SHIPOFF_TOML_INVALID", "biuld: there is no such field (is it build?)", "scaling.min"):
        assert text in pushed.output, pushed.output


def test_secrets_that_a_build_prints_are_masked(platform: Platform, checkout: Checkout) -> None:
    repository = checkout("chatty")
    status, body = platform.call("PUT", "/v1/projects/chatty/env", {"set": {"API_TOKEN": SECRET}, "scope": "build"})
    assert status == 200, body
    repository.write("chatty.js", CHATTY)
    repository.write("package.json", '{"name": "c", "scripts": {"build": "node chatty.js", "start": "node server.js"}}')
    repository.write("server.js", SERVER)
    repository.commit("chatty")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    assert "plain ***" in pushed.output
    assert platform.get("chatty").text == "fine", "a variable for builds does not reach what runs"
    log = platform.build_log("chatty", platform.deployments("chatty")[0]["id"])
    for text in (pushed.output, log):
        assert SECRET not in text
        assert base64.b64encode(f"user:{SECRET}".encode()).decode() not in text


def test_a_submodule_may_be_another_project_of_the_same_owner(platform: Platform, checkout: Checkout) -> None:
    library, site = checkout("shared-pages"), checkout("with-pages")
    library.write("index.html", "from the library")
    library.commit("pages")
    assert library.push().status == 0
    commit = library.git("rev-parse", "HEAD").stdout.strip()
    site.write("index.html", "the site")
    site.write(".gitmodules", '[submodule "pages"]\n\tpath = pages\n\turl = ../shared-pages.git\n')
    (site.directory / "pages").mkdir()
    site.git("update-index", "--add", "--cacheinfo", f"160000,{commit},pages")
    site.commit("with a submodule")
    pushed = site.push()
    assert pushed.status == 0, pushed.output
    assert "from the library" in platform.get("with-pages", "/pages/").text
