"""The gateway's own death in the middle of a push, and its orderly end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kernel import tasks
from stack.ports import free_ports
from tests.integration.control.driver import Driver, Plane, Work
from tests.integration.control.processes import Process, running


@pytest.fixture
def second(plane: Plane, tmp_path: Path) -> Iterator[tuple[Plane, Process]]:
    """A second gateway over the same repositories, whose death the others do not notice."""
    listen, admin = free_ports(2)
    environment = {
        **plane.environment,
        "SHIPOFF_GATEWAY_LISTEN": f"127.0.0.1:{listen}",
        "SHIPOFF_GATEWAY_ADMIN": f"127.0.0.1:{admin}",
        "SHIPOFF_GATEWAY_PUSH_WAIT_S": "60",
        "SHIPOFF_RUN_DIR": str(tmp_path / "run"),
    }
    with running(("gateway",), environment, tmp_path) as processes:
        yield replace(plane, ports={**plane.ports, "gateway.listen": listen}), processes["gateway"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_push_ends_with_the_gateway_and_the_branch_catches_up(
    plane: Plane,
    second: tuple[Plane, Process],
    driver: Driver,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    there, process = second
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", there.git_url(project["name"]), "main"), "git push")
    event = await driver.requested(project["id"])
    process.send_signal(number)
    pushed = await pushing
    assert pushed.status != 0
    if number == signal.SIGTERM:
        assert "see how the deployment ends" in pushed.out
    assert process.wait(10) in (0, -signal.SIGKILL)
    await driver.live(event)  # the deployment does not care
    await driver.until(project["name"], event.deployment_id, "LIVE")
    head = work.ok("rev-parse", "HEAD")
    assert work.ok("ls-remote", plane.git_url(project["name"]), "refs/heads/main").startswith(head)
    again = await work.run("push", plane.git_url(project["name"]), "main")
    assert (again.status, "Everything up-to-date" in again.out) == (0, True)


async def test_a_push_gets_its_answer_while_projects_hangs(plane: Plane, driver: Driver, tmp_path: Path) -> None:
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    pushing = tasks.spawn(work.run("push", plane.git_url(project["name"]), "main"), "git push")
    event = await driver.requested(project["id"])
    plane.processes["projects"].send_signal(signal.SIGSTOP)  # it answers nobody, as a service that hangs
    try:
        await driver.report(event, "BUILDING", stage="build")
        await driver.report(event, "LIVE", url="http://app.localhost:8080")
        pushed = await pushing  # the events alone bring the answer
    finally:
        plane.processes["projects"].send_signal(signal.SIGCONT)
    assert pushed.status == 0, pushed.out
    assert "live at" in pushed.out
