"""An app with several instances, a worker and a cron job, by the hand of its owner: ps, scale, restart, exec, cron."""

# environ: the commands run with the environment of whoever runs the tests.

import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import SHIPOFF, Platform, Repository, Visitors

PROJECT = "orchestra"
SERVER = """
const http = require('http')
const answer = (q, a) => q.url === '/crash' ? process.exit(7) : a.end(`fine ${process.env.SHIPOFF_INSTANCE}`)
const server = http.createServer(answer).listen(process.env.PORT)
process.on('SIGTERM', () => server.close(() => process.exit(0)))
"""
SETTINGS = """
[scaling]
min = 2
max = 2
[processes]
mail = "while :; do echo at work; sleep 1; done"
[[cron]]
name = "minutely"
schedule = "* * * * *"
command = "echo tick; exit 0"
[limits]
memory = "256 MiB"
"""


@pytest.fixture(scope="module")
def app(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Deployed once for all tests here."""
    platform.project(PROJECT)
    repository = Repository(platform, PROJECT, tmp_path_factory.mktemp(PROJECT))
    repository.write("package.json", '{"name": "app", "version": "1.0.0", "scripts": {"start": "node index.js"}}\n')
    repository.write("index.js", SERVER)
    repository.write("shipoff.toml", SETTINGS)
    repository.commit("works")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    return repository


def environment(platform: Platform) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, "SHIPOFF_URL": platform.gateway, "SHIPOFF_TOKEN": platform.token, "PYTHONPATH": root}


def shipoff(
    platform: Platform, *arguments: str, given: bytes = b"", status: int | None = 0
) -> subprocess.CompletedProcess[bytes]:
    """A command of the developer's, for this project."""
    command, *rest = arguments
    done = subprocess.run(
        [*SHIPOFF, command, "--project", PROJECT, *rest],
        input=given, env=environment(platform), capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert status in (None, done.returncode), (done.stdout, done.stderr)
    return done


def processes(platform: Platform) -> dict[str, Any]:
    """By name."""
    found = json.loads(shipoff(platform, "ps", "--json").stdout)
    return {one["name"]: one for one in found["processes"]}


def ready(platform: Platform, process: str = "web") -> set[str]:
    return {one["id"] for one in processes(platform)[process]["instances"] if one["state"] == "ready"}


def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.2)


def test_all_processes_run_and_are_measured(platform: Platform, app: Repository) -> None:
    until(lambda: len(ready(platform)) == 2 and len(ready(platform, "mail")) == 1)
    found = processes(platform)
    assert (found["web"]["state"], found["mail"]["state"]) == ("running", "running")
    for one in found["web"]["instances"]:
        assert one["usage"]["memory_bytes"] > 1 << 20
        assert one["usage"]["processes"] >= 2
    text = shipoff(platform, "ps").stdout.decode()
    assert "web: running 2/2" in text
    assert all(instance in text for instance in ready(platform))
    assert {platform.get(PROJECT).text for _ in range(40)} == {f"fine {instance}" for instance in ready(platform)}


def test_scaling_and_restarting_lose_no_request(platform: Platform, app: Repository) -> None:
    before = ready(platform)
    with Visitors(platform, PROJECT) as visitors:
        assert b"web: 4, 4 wanted now" in shipoff(platform, "scale", "web=4").stdout
        until(lambda: len(ready(platform)) == 4)
        assert before < ready(platform)
        shipoff(platform, "scale", "web=1")
        until(lambda: len(ready(platform)) == 1)
        shipoff(platform, "scale", "web=auto", "mail=0")
        until(lambda: len(ready(platform)) == 2 and processes(platform)["mail"]["state"] == "off")
        old = ready(platform)
        assert b"2 instances" in shipoff(platform, "restart").stderr
        assert not old & ready(platform)
    assert visitors.failures == []
    assert visitors.answers > 100
    shipoff(platform, "scale", "mail=auto")
    assert b"SCALE_INVALID" in shipoff(platform, "scale", "web=5..2", status=2).stderr
    assert b"PROCESS_UNKNOWN" in shipoff(platform, "scale", "none=1", status=4).stderr


def test_one_that_crashes_is_told_replaced_and_not_missed(platform: Platform, app: Repository) -> None:
    two = ready(platform)
    victim = platform.get(PROJECT).text.removeprefix("fine ")
    assert victim in two
    # The command may end with the instance before it can tell its own end.
    shipoff(platform, "exec", "--instance", victim, "--", "pkill", "-KILL", "-f", "index[.]js", status=None)
    with Visitors(platform, PROJECT) as visitors:
        until(lambda: len(ready(platform)) == 2 and victim not in ready(platform))
    assert visitors.failures == []
    (ended,) = [one for one in processes(platform)["web"]["instances"] if one["id"] == victim]
    assert ended["state"] == "crashed"
    assert ended["ended"]["reason"] in ("signal", "exit")
    assert ended["ended"]["exit_status"] in (-9, 137)


def test_a_command_runs_where_the_app_runs(platform: Platform, app: Repository) -> None:
    done = shipoff(
        platform, "exec", "--", "sh", "-c", "cat; ls; echo $SHIPOFF_PROCESS >&2; exit 5", given=b"in\n", status=5
    )
    assert done.stdout.startswith(b"in\n")
    assert b"index.js" in done.stdout
    assert done.stderr == b"web\n"
    assert shipoff(platform, "exec", "--process", "mail", "--", "sh", "-c", "echo $SHIPOFF_PROCESS").stdout == b"mail\n"
    assert b"EXEC_NO_INSTANCE" in shipoff(platform, "exec", "--instance", "none", "--", "true", status=1).stderr


def test_a_shell_has_a_terminal(platform: Platform, app: Repository) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*SHIPOFF, "exec", "--project", PROJECT], env=environment(platform) | {"TERM": "vt100"},
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
    ) as shell:  # fmt: skip
        os.close(follower)
        said = heard(leader, "$ ")
        os.write(leader, b"echo on $TERM; tty; exit 4\n")
        said += heard(leader, "/dev/pts/")
        assert "on vt100" in said
        assert shell.wait(30) == 4
    os.close(leader)


def heard(descriptor: int, until_text: str) -> str:
    """What a terminal shows, up to a text."""
    said = ""
    while until_text not in said:
        assert select.select([descriptor], [], [], 30)[0], said
        said += os.read(descriptor, 4096).decode()
    return said


def test_a_cron_job_runs_each_minute(platform: Platform, app: Repository) -> None:
    def ran() -> bool:
        return bool(json.loads(shipoff(platform, "cron", "--json").stdout)["runs"])

    until(ran, 75.0)
    found = json.loads(shipoff(platform, "cron", "--json").stdout)
    assert [job["name"] for job in found["crons"]] == ["minutely"]
    until(lambda: json.loads(shipoff(platform, "cron", "--json").stdout)["runs"][-1]["state"] == "done")
    assert re.search(r"minutely.*\* \* \* \* \*.*done", shipoff(platform, "cron").stdout.decode())


def test_a_stranger_gets_at_nothing(platform: Platform, app: Repository) -> None:
    for method, path, body in (
        ("GET", "processes", None), ("POST", "scale", {"instances": 0}), ("POST", "restart", {}), ("GET", "exec", None),
        ("GET", "crons", None),
    ):  # fmt: skip
        status, answer = platform.call(method, f"/v1/projects/{PROJECT}/{path}", body, token="shp_wrong")
        assert (status, answer["code"]) == (401, "TOKEN_INVALID")
        status, answer = platform.call(method, f"/v1/projects/nowhere/{path}", body)
        assert (status, answer["code"]) == (404, "PROJECT_NOT_FOUND")
