"""Rolls an app back and forth and asks every router worker which version it serves.

`python -m bench.rollback [--quick] [--json FILE]`. Starts a platform of its own with two router workers. A
rollback is effective when each of many new connections, which the kernel spreads over the workers, is answered by the
old release. The baseline is a deploy of the same app by `git push`, in turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.deploy_under_load.__main__ import APP
from bench.report import Figure, publish
from bench.stack import Platform, WorkingCopy, connection, running

PROJECT: Final = "back"
GOAL_S: Final = 1.0
IN_A_ROW: Final = 16  # new connections: that none of them met one of two workers happens once in 32,768 times


def served(platform: Platform) -> str:
    """What one new connection is answered."""
    asking = connection(platform.router)
    asking.request("GET", "/", headers={"Host": f"{PROJECT}.localhost"})
    text = asking.getresponse().read().decode()
    asking.close()
    return text


def until_served(platform: Platform, text: str) -> float:
    """Waits until all connections are answered so; returns when the first of that row was made (time.monotonic)."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        began = time.monotonic()
        if all(served(platform) == text for _ in range(IN_A_ROW)):
            return began
    raise RuntimeError(f"{text!r} is not served everywhere")


class Versions:
    """An app and its versions."""

    def __init__(self, platform: Platform, directory: Path) -> None:
        platform.call("POST", "/v1/projects", {"name": PROJECT})
        self._platform, self._copy = platform, WorkingCopy(platform, PROJECT, APP, directory)
        self._text = "version 0"

    def deploy(self, text: str) -> float:
        """Pushes a version; seconds until it is served everywhere."""
        page = self._copy.directory / "index.js"
        page.write_text(page.read_text().replace(self._text, text))
        self._text = text
        self._copy.commit(text)
        began = time.monotonic()
        self._copy.push()
        return until_served(self._platform, text) - began

    def rollback(self, text: str) -> float:
        """Brings back what served before; seconds until it is served everywhere."""
        began = time.monotonic()
        self._platform.call("POST", f"/v1/projects/{PROJECT}/deployments", {"kind": "rollback"})
        return until_served(self._platform, text) - began


def measure(count: int) -> list[Figure]:
    """The figures of `count` deploys, each followed by a rollback and by one back from that."""
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as scratch:
        with running(Path(scratch) / "stack", SHIPOFF_STACK_ROUTER_WORKERS="2") as platform:
            app = Versions(platform, Path(scratch) / "app")
            app.deploy("version 1")
            deploys, rollbacks = [], []
            for number in range(2, 2 + count):
                deploys.append(app.deploy(f"version {number}"))
                rollbacks.append(app.rollback(f"version {number - 1}"))
                rollbacks.append(app.rollback(f"version {number}"))
    ranked = sorted(rollbacks)
    baseline = sorted(deploys)[len(deploys) // 2]
    return [
        Figure.of("rollback to effective, warm, p50", rollbacks, "s", at_most=GOAL_S, baseline=baseline),
        Figure.of("rollback to effective, warm, p99", [ranked[int(0.99 * len(ranked))]], "s", at_most=GOAL_S),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.rollback", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rollbacks; ends within a minute")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    publish(measure(5 if options.quick else 50), options.json)


if __name__ == "__main__":
    main()
