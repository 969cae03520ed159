"""Lets Node apps fall asleep and asks for them: what does the first visitor wait beside the app's own start?

`python -m bench.wake_from_zero [--quick] [--json FILE]`. Starts a platform of its own. The app's own start is measured
in turns with the wakes: the same command on the same machine without a platform, from its spawn to its first answer.
"""

# environ: the app's own start happens in the environment of whoever runs the bench.

from __future__ import annotations

import argparse
import http.client
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import Figure, publish
from bench.stack import Platform, WorkingCopy, connection, running

EXAMPLE = Path(__file__).parents[2] / "examples" / "node-express"
GOAL_MS = 150.0
IDLE_S = 10  # the least that shipoff.toml takes
TOML = f"[scaling]\nmin = 0\nmax = 1\nidle_s = {IDLE_S}\n"
ASLEEP_S = 60.0
GONE_S = 1.5  # from "asleep" to the end of the old instance, which a wake in this very moment would wait for


@dataclass(frozen=True)
class Wake:
    """One first visit, in milliseconds: the whole, what the router held it for, and the app's own start beside it."""

    total: float
    held: float
    own: float

    @property
    def overhead(self) -> float:
        """What the platform adds."""
        return self.total - self.own


def first_visit(platform: Platform, project: str) -> tuple[float, float]:
    """Milliseconds to the whole answer, and of these held.

    Raises:
        RuntimeError: it did not sleep, or was not answered.
    """
    asking = connection(platform.router)
    asking.connect()
    began = time.perf_counter()
    asking.request("GET", "/", headers={"Host": f"{project}.localhost"})
    answer = asking.getresponse()
    answer.read()
    total = (time.perf_counter() - began) * 1000
    held = re.search(r"cold;dur=([\d.]+)", answer.getheader("Server-Timing", ""))
    if answer.status != 200 or held is None:
        raise RuntimeError(f"{project} answered {answer.status} {answer.getheader('Server-Timing')}")
    return total, float(held[1])


def own_start(directory: Path) -> float:
    """Milliseconds from the spawn of the app's command to its first answer, outside of any platform."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    env = {**os.environ, "PORT": str(port), "NODE_ENV": "production"}
    with subprocess.Popen(["node", "src/server.js"], cwd=directory, env=env, stdout=subprocess.DEVNULL) as process:
        try:
            while True:
                try:
                    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                    asking.request("GET", "/")
                    asking.getresponse().read()
                    return (time.perf_counter() - began) * 1000
                except ConnectionRefusedError:
                    time.sleep(0.001)
        finally:
            process.kill()


def until_asleep(platform: Platform, project: str) -> None:
    """Waits until a router worker knows that it sleeps."""
    give_up = time.monotonic() + ASLEEP_S
    while platform.look_up(f"{project}.localhost")["releases"][0]["state"] != "asleep":
        if time.monotonic() > give_up:
            raise RuntimeError(f"{project} does not fall asleep")
        time.sleep(0.05)
    time.sleep(GONE_S)


def deploy(platform: Platform, scratch: Path, count: int) -> list[str]:
    """So many projects with the same app; the first one's tree has the dependencies installed too."""
    names = [f"sleeper-{number}" for number in range(count)]
    for name in names:
        platform.call("POST", "/v1/projects", {"name": name})
        copy = WorkingCopy(platform, name, EXAMPLE, scratch / name)
        (copy.directory / "shipoff.toml").write_text(TOML)
        copy.commit("asleep when idle")
        copy.push()
    shutil.copytree(EXAMPLE, scratch / "own")
    subprocess.run(["npm", "ci", "--silent"], cwd=scratch / "own", check=True, capture_output=True, timeout=240)
    return names


def measure(apps: int, rounds: int) -> list[Wake]:
    """Wakes each app as often, one after the other."""
    wakes = []
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as scratch, running(Path(scratch) / "stack") as platform:
        names = deploy(platform, Path(scratch), apps)
        for _ in range(rounds):
            for name in names:
                until_asleep(platform, name)
                own = own_start(Path(scratch) / "own")
                wakes.append(Wake(*first_visit(platform, name), own))
    return wakes


def figures(wakes: Sequence[Wake]) -> list[Figure]:
    """What was measured."""
    own = [wake.own for wake in wakes]
    return [
        Figure.of("platform's part of a cold start", [wake.overhead for wake in wakes], "ms", at_most=GOAL_MS),
        Figure.of("first visit in all", [wake.total for wake in wakes], "ms", baseline=sorted(own)[len(own) // 2]),
        Figure.of("of this held by the router", [wake.held for wake in wakes], "ms"),
        Figure.of("the app's own start", own, "ms"),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.wake_from_zero", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few wakes; ends within a minute")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    publish(figures(measure(3, 1) if options.quick else measure(4, 6)), options.json)


if __name__ == "__main__":
    main()
