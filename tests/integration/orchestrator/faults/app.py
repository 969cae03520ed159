"""The app that faults are tried on: it says its version, and each version is one push."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.world import Pushed, Repository, Visitors
from tests.integration.orchestrator.faults.rig import Rig

SERVER = """
const app = require('http').createServer((q, a) => a.end('version %d'))
setTimeout(() => app.listen(process.env.PORT), %d)
"""
SETTINGS = """
[build]
command = "%s"
[run]
command = "exec node index.js"
[release]
command = "%s"
"""
NAME = "target"
PATH = f"/v1/projects/{NAME}"


def until(condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    """Polls; a platform whose parts are being killed may refuse an answer now and then."""
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        try:
            if condition():
                return
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.02)
    pytest.fail(what)


@dataclass
class Pushing:
    """A push that goes on beside the test."""

    result: Pushed | None = None


@dataclass
class App:
    """The app and who watches it.

    Attributes:
        instances: how many of it are wanted.
    """

    rig: Rig
    repository: Repository
    version: int = 1
    instances: int = 1

    def write(self, build: str = "true", start_ms: int = 0, release: str = "echo migrated") -> None:
        """Commits the present version.

        Args:
            build: the build's command.
            start_ms: how long it takes to listen.
            release: the release command.
        """
        self.repository.write("index.js", SERVER % (self.version, start_ms))
        self.repository.write("shipoff.toml", SETTINGS % (build, release))
        self.repository.commit(f"version {self.version}")

    @contextmanager
    def pushed(
        self, build: str = "true", start_ms: int = 0, release: str = "echo migrated", *, lossless: bool = True
    ) -> Iterator[Pushing]:
        """Pushes a new version; what the block does happens meanwhile, and no visitor may notice if it is lossless."""
        served = self.text()
        self.version += 1
        self.write(build, start_ms, release)
        pushing = Pushing()
        thread = threading.Thread(target=lambda: setattr(pushing, "result", self.repository.push()), daemon=True)
        with Visitors(self.rig.platform, NAME, marks=(served, f"version {self.version}")) as visitors:
            thread.start()
            yield pushing
            thread.join(120)
            assert not thread.is_alive(), "the push never ended"
        assert visitors.failures == [] or not lossless
        assert visitors.answers > 0

    def newest(self) -> dict[str, Any]:
        """The deployment that was asked for last."""
        return self.rig.platform.deployments(NAME)[0]

    def reaches(self, state: str, known: str) -> None:
        """Waits until a deployment newer than a known one is in a state."""
        until(lambda: self.newest()["id"] != known and self.newest()["state"] == state, f"nothing reached {state}")

    def ends(self) -> dict[str, Any]:
        """The newest deployment, once it has ended."""
        return self.rig.platform.finished(NAME, self.newest()["id"])

    def text(self) -> str:
        """What is served."""
        return self.rig.platform.get(NAME).text

    def is_whole(self) -> bool:
        """Whether what runs is what the rows say, and that is the wanted instances of the release that serves."""
        _, body = self.rig.platform.call("GET", f"{PATH}/instances")
        known = {one["id"]: one["state"] for one in body["instances"] if one["state"] not in ("stopped", "crashed")}
        folder = self.rig.plan.state / "apps" / "instances"
        runs = {path.name for path in folder.iterdir() if not (path / "exit.json").exists()}
        return list(known.values()) == ["ready"] * self.instances and set(known) == runs

    def settles(self) -> None:
        """Waits until nothing is left over."""
        until(self.is_whole, "instances were left over, or none runs")
