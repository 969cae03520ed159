"""What a deployment needs is taken away while it is built and while it is brought up; it ends right all the same."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.orchestrator.faults.app import NAME, PATH, App, until
from tests.integration.orchestrator.faults.faults import FAULTS, heal, jumps, redis
from tests.integration.orchestrator.faults.rig import Rig
from tests.integration.orchestrator.workshop import processes_with

CASES = [(fault, state) for fault in FAULTS for state in ("BUILDING", "PROVISIONING")]


@pytest.mark.parametrize(("fault", "state"), CASES)
def test_a_deployment_survives(fault: str, state: str, rig: Rig, app: App) -> None:
    known = app.newest()["id"]
    build, start_ms = ("sleep 1.5", 0) if state == "BUILDING" else ("true", 1500)
    with app.pushed(build, start_ms):
        app.reaches(state, known)
        FAULTS[fault](rig)
        until(lambda: app.ends()["state"] == "LIVE", "it did not get live")
    assert app.text() == f"version {app.version}"
    app.settles()
    heal(rig)


@pytest.mark.parametrize(("build", "start_ms", "state"), [("sleep 1", 0, "BUILDING"), ("true", 1500, "PROVISIONING")])
def test_a_deployment_survives_the_end_of_all_router_workers(
    build: str, start_ms: int, state: str, rig: Rig, app: App
) -> None:
    """What was on its way through them is lost; the deployment, and all that comes after, is not."""
    known, supervisor = app.newest()["id"], rig.running["router"][1].pid
    with app.pushed(build, start_ms, lossless=False):
        app.reaches(state, known)
        workers = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        assert len(workers) == rig.plan.workers
        for worker in workers:
            os.kill(int(worker), signal.SIGKILL)
        assert app.ends()["state"] == "LIVE"
    assert app.text() == f"version {app.version}"
    app.settles()


@pytest.mark.parametrize("away", ["while it runs", "until it has ended"])
def test_a_release_command_runs_once_whoever_is_killed(away: str, rig: Rig, app: App) -> None:
    known = app.newest()["id"]
    with app.pushed(release="echo begun as $$-$(date +%N); sleep 2; echo migrated"):
        until(lambda: app.newest()["id"] != known and "begun as" in _log(rig, app), "it does not begin")
        rig.end("orchestrator")
        if away == "until it has ended":
            time.sleep(2.5)
        rig.start(rig.service("orchestrator"))
        assert app.ends()["state"] == "LIVE"
    text = _log(rig, app)
    assert len(set(re.findall(r"begun as \S+", text))) == 1
    assert "migrated" in text
    app.settles()


def _log(rig: Rig, app: App) -> str:
    """What the newest deployment's log says, without the command as it was announced."""
    text = rig.platform.build_log(NAME, app.newest()["id"])
    return "\n".join(line for line in text.splitlines() if "$$" not in line)


def test_what_came_last_is_the_newest_although_the_clock_fell_back(rig: Rig, app: App) -> None:
    for ahead_s in (0, -600):
        jumps(ahead_s)(rig)
        with app.pushed():
            pass
        assert app.ends()["state"] == "LIVE"
    assert app.text() == f"version {app.version}"
    status, body = rig.platform.call("POST", f"{PATH}/deployments", {"kind": "rollback"})
    assert status == 201, body
    assert app.newest()["id"] == body["id"]
    assert app.ends()["state"] == "LIVE"
    assert app.text() == f"version {app.version - 1}"
    app.settles()
    heal(rig)


def test_events_that_come_again_late_and_in_another_order_change_nothing(rig: Rig, app: App) -> None:
    def states() -> list[tuple[str, str]]:
        return [(one["id"], one["state"]) for one in rig.platform.deployments(NAME)]

    served, were = app.text(), states()
    with redis(rig) as client:
        for stream in ("deployments", "lifecycle"):
            entries = [fields[b"e"] for _, fields in client.xrange(stream)]
            for envelope in reversed(entries):
                client.xadd(stream, {"e": envelope})
        last = client.xrevrange("deployments", count=1)[0][0]
        until(lambda: handled(client, last), "the events were not handled")
    assert states() == were
    assert app.text() == served
    app.settles()


def handled(client: Any, last: bytes) -> bool:
    groups = client.xinfo_groups("deployments")
    return all(group["last-delivered-id"] == last and group["pending"] == 0 for group in groups)


def test_a_newer_push_ends_the_older_build_and_all_of_its_processes(rig: Rig, app: App) -> None:
    known, marker = app.newest()["id"], "sleep 271"
    with app.pushed(f"({marker} & setsid {marker} & {marker})") as older:
        app.reaches("BUILDING", known)
        until(lambda: len(processes_with(marker.replace(" ", "\0"))) >= 3, "the build does not run")
        app.version += 1
        app.write()
        newer = app.repository.push()
        until(lambda: not processes_with(marker.replace(" ", "\0")), "the build left processes")
    assert newer.status == 0, newer.output
    assert older.result is not None
    assert older.result.status != 0
    assert [one["state"] for one in rig.platform.deployments(NAME)[:2]] == ["LIVE", "SUPERSEDED"]
    app.settles()


def test_a_cancel_ends_the_build_and_all_of_its_processes(rig: Rig, app: App) -> None:
    served, known, marker = app.text(), app.newest()["id"], "sleep 272"
    with app.pushed(f"({marker} & setsid {marker} & {marker})"):
        app.reaches("BUILDING", known)
        until(lambda: len(processes_with(marker.replace(" ", "\0"))) >= 3, "the build does not run")
        status, body = rig.platform.call("POST", f"{PATH}/deployments/{app.newest()['id']}/cancel", {})
        assert status == 202, body
        until(lambda: not processes_with(marker.replace(" ", "\0")), "the build left processes")
    assert app.ends()["state"] == "CANCELED"
    status, body = rig.platform.call("POST", f"{PATH}/deployments/{app.newest()['id']}/cancel", {})
    assert (status, body["code"]) == (409, "DEPLOYMENT_FINISHED")
    assert app.text() == served
    app.settles()
