"""The orchestrator is killed at every boundary of a deployment: nothing is lost, stuck or orphaned."""

import pytest

from kernel.deployments import Stage
from orchestrator.failpoints import Write, after, before, entering
from tests.integration.orchestrator.faults.app import NAME, PATH, App, until
from tests.integration.orchestrator.faults.rig import Rig

# A deployment begins in one of the first two, and the third is entered by canaries only.
STAGES = [entering(stage) for stage in Stage if stage not in (Stage.QUEUE, Stage.FETCH, Stage.CANARY)]
CANARY = (Write.SHARE, Write.REPORT)
DONE = [boundary(write) for write in Write if write not in (Write.FAIL, *CANARY) for boundary in (before, after)]
SHARED = [entering(Stage.CANARY), *(boundary(write) for write in CANARY for boundary in (before, after))]
REUSED = [name for name in DONE if Write.BEGIN not in name]


def dies(rig: Rig) -> None:
    """Waits for the orchestrator's death at the boundary, and starts the next one."""
    until(lambda: rig.ended("orchestrator"), f"nobody came past {rig.failpoint.read_text()!r}")
    assert not rig.failpoint.exists()
    rig.restart("orchestrator")


@pytest.mark.parametrize("boundary", [*STAGES, *DONE])
def test_a_deployment_survives_a_kill(boundary: str, rig: Rig, app: App) -> None:
    rig.failpoint.write_text(boundary)
    with app.pushed() as pushing:
        dies(rig)
    assert pushing.result is not None
    assert pushing.result.status == 0, pushing.result.output
    assert app.ends()["state"] == "LIVE"
    assert app.text() == f"version {app.version}"
    app.settles()


@pytest.mark.parametrize("boundary", REUSED)
def test_a_rollback_survives_a_kill(boundary: str, rig: Rig, app: App) -> None:
    served = app.text()
    rig.failpoint.write_text(boundary)
    status, body = rig.platform.call("POST", f"{PATH}/deployments", {"kind": "rollback"})
    assert status == 201, body
    dies(rig)
    assert rig.platform.finished(NAME, body["id"])["state"] == "LIVE"
    assert app.text() != served
    app.settles()


@pytest.mark.parametrize("boundary", SHARED)
def test_a_canary_survives_a_kill(boundary: str, rig: Rig, app: App) -> None:
    served = app.text()
    rig.failpoint.write_text(boundary)
    canary = {"steps": [50], "step_s": 1}
    status, body = rig.platform.call("POST", f"{PATH}/deployments", {"kind": "rollback", "canary": canary})
    assert status == 201, body
    dies(rig)
    assert rig.platform.finished(NAME, body["id"])["state"] == "LIVE"
    assert app.text() != served
    app.settles()


@pytest.mark.parametrize("boundary", [before(Write.FAIL), after(Write.FAIL)])
def test_a_failure_survives_a_kill(boundary: str, rig: Rig, app: App) -> None:
    served = app.text()
    rig.failpoint.write_text(boundary)
    with app.pushed("exit 3") as pushing:
        dies(rig)
    assert pushing.result is not None
    assert pushing.result.status != 0
    ended = app.ends()
    assert ended["state"] == "FAILED"
    assert (ended["failure"]["reason"], ended["failure"]["exit_status"]) == ("BUILD_FAILED", 3)
    assert app.text() == served
    app.settles()
