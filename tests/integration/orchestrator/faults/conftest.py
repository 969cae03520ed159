"""One rig for all tests of faults, and an app on it that is live and visited."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stack.ports import free_ports
from stack.services import MODULES
from tests.e2e.world import Repository
from tests.integration.orchestrator.faults.app import App
from tests.integration.orchestrator.faults.clock import clock
from tests.integration.orchestrator.faults.rig import Rig, build


@pytest.fixture(scope="package")
def rig(servers: Any, s3_settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The platform."""
    run_dir = Path(tempfile.mkdtemp(prefix="so-"))
    doors = [door for name in MODULES for door in (name, f"{name}.admin")]
    ports = dict(zip(doors, free_ports(len(doors)), strict=True))
    folder = tmp_path_factory.mktemp("rig")
    with clock() as its_clock:
        running = build(servers, folder, run_dir, ports, s3_settings, its_clock)
        yield running
        running.close()
    shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture(scope="package")
def app(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> App:
    """An app of two instances with a build step, deployed once."""
    rig.platform.project("target")
    made = App(rig, Repository(rig.platform, "target", tmp_path_factory.mktemp("target")))
    made.write()
    pushed = made.repository.push()
    assert pushed.status == 0, pushed.output
    return made
