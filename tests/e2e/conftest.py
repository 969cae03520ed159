"""One whole platform for the e2e tests of this session."""

# environ: the platform runs with the environment of whoever runs the tests.

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.hosts import Outside, outside_of
from tests.e2e.world import EXAMPLES, SHIPOFF, Platform, Repository, processes_under

# Failures are part of these tests: an app that never gets healthy is given up after seconds, not after a minute.
TUNING = {
    "SHIPOFF_ORCHESTRATOR_START_S": "12",
    "SHIPOFF_ORCHESTRATOR_DRAIN_S": "10",
    "SHIPOFF_ORCHESTRATOR_WARM_S": "30",
    "SHIPOFF_GATEWAY_PUSH_BYTES": str(10 << 20),
    # All tests send with one token and from one address, and ask again and again how something stands.
    **{f"SHIPOFF_GATEWAY_RATE_{kind}": "0" for kind in ("CREDENTIAL", "ADDRESS", "AUTH")},
    # The repositories that projects are linked to are served here.
    "SHIPOFF_PROJECTS_ALLOW_PRIVATE_SOURCES": "1",
    "SHIPOFF_ORCHESTRATOR_ALLOW_PRIVATE_SOURCES": "1",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """What the platform talks to outside of itself."""
    with outside_of(tmp_path_factory.mktemp("github")) as found:
        yield found


@pytest.fixture(scope="session")
def platform(outside: Outside) -> Iterator[Platform]:
    """A platform of its own for the session, on free ports, ended and checked for leftovers."""
    directory = Path(tempfile.mkdtemp(prefix="shipoff-e2e-")) / "stack"
    env = {**os.environ, **TUNING, **outside.settings()}
    up = subprocess.run(
        [*SHIPOFF, "up", "--detach", "--no-demo", "--dir", str(directory)],
        capture_output=True, text=True, timeout=240, env=env, check=False,
    )  # fmt: skip
    assert up.returncode == 0, up.stdout + up.stderr
    token = re.search(r"\bshp_[A-Za-z0-9_-]+", up.stdout)
    assert token is not None, up.stdout
    running = Platform(directory, "", "", token[0])
    urls = running.status()["urls"]
    running.gateway, running.router = urls["gateway"], urls["router"]
    yield running
    subprocess.run([*SHIPOFF, "down", "--dir", str(directory)], check=True, capture_output=True, timeout=90)
    left = [pid for pid in processes_under(directory) if pid != os.getpid()]
    # overlayfs leaves work folders of mode 0, which only their owner can open again.
    subprocess.run(["chmod", "-R", "u+rwX", str(directory.parent)], check=True)
    shutil.rmtree(directory.parent)
    assert not left, f"processes left behind: {left}"


@pytest.fixture
def checkout(platform: Platform, tmp_path: Path) -> Callable[..., Repository]:
    """Makes a working copy of an example, or an empty one, with a project and its remote."""

    def make(project: str, example: str = "", **settings: object) -> Repository:
        directory = tmp_path / project
        if example:
            shutil.copytree(EXAMPLES / example, directory)
        else:
            directory.mkdir()
        platform.project(project, **settings)
        return Repository(platform, project, directory)

    return make
