"""Pushes a changed static site over and over and watches the router for the new content.

`python -m bench.push_to_live [--quick] [--json FILE]`. Starts a platform of its own. The baseline is the same push to a
branch that is not deployed: what git and the gateway cost by themselves.
"""

# environ: git and the platform run with the environment of whoever runs the bench.

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.report import Figure, publish

EXAMPLE = Path(__file__).parents[2] / "examples" / "static-html"
SHIPOFF = [sys.executable, "-m", "stack.cli.main"]
GOAL_S = 1.5
PROJECT = "pushed"


@dataclass(frozen=True)
class Platform:
    """Where it answers, and the owner's token."""

    gateway: str
    router: str
    token: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One REST call."""
        connection = _connection(self.gateway)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {raw!r}")
        return json.loads(raw)


@dataclass(frozen=True)
class Sample:
    """One push: seconds of the whole command, from the pack's arrival to the content, and of each stage."""

    push_s: float
    live_s: float
    stages: dict[str, float]


def _connection(url: str) -> http.client.HTTPConnection:
    host, _, port = url.removeprefix("http://").partition(":")
    return http.client.HTTPConnection(host, int(port), timeout=30)


@contextmanager
def running(directory: Path) -> Iterator[Platform]:
    """A platform for the length of the block."""
    command = [*SHIPOFF, "up", "--detach", "--no-demo", "--dir", str(directory)]
    up = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
    token = re.search(r"\bshp_[A-Za-z0-9_-]+", up.stdout)
    if token is None:
        raise RuntimeError(up.stdout)
    try:
        command = [*SHIPOFF, "status", "--json", "--dir", str(directory)]
        urls = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=30).stdout)["urls"]
        yield Platform(urls["gateway"], urls["router"], token[0])
    finally:
        subprocess.run([*SHIPOFF, "down", "--dir", str(directory)], check=True, capture_output=True, timeout=90)


class Site:
    """A working copy of the example, whose message changes with every commit."""

    def __init__(self, platform: Platform, directory: Path) -> None:
        self._platform, self._directory = platform, directory
        shutil.copytree(EXAMPLE, directory)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "shipoff", f"{platform.gateway}/git/{PROJECT}.git")

    def git(self, *arguments: str) -> None:
        """Runs git here."""
        helper = "!f() { echo username=x; echo password=$SHIPOFF_TOKEN; }; f"
        config = ["-c", "user.name=Bench", "-c", "user.email=bench@localhost"]
        config += ["-c", "credential.helper=", "-c", f"credential.helper={helper}"]
        env = {**os.environ, "SHIPOFF_TOKEN": self._platform.token}
        subprocess.run(
            ["git", *config, *arguments], cwd=self._directory, env=env, check=True, capture_output=True, timeout=90
        )

    def change(self, message: str) -> None:
        """Commits another message."""
        page = self._directory / "index.html"
        page.write_text(re.sub(r'<p id="message">[^<]*', f'<p id="message">{message}', page.read_text()))
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def push(self, ref: str) -> float:
        """Pushes; seconds of the whole command."""
        began = time.monotonic()
        self.git("push", "-q", "shipoff", ref)
        return time.monotonic() - began


def watch(platform: Platform, text: str, found: list[float]) -> None:
    """Asks the router until the text is served; notes when, in unix time."""
    connection = _connection(platform.router)
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        connection.request("GET", "/", headers={"Host": f"{PROJECT}.localhost"})
        if text in connection.getresponse().read().decode():
            found.append(time.time())
            return
        time.sleep(0.002)


def sample(platform: Platform, site: Site, number: int) -> Sample:
    """One change, pushed and watched."""
    site.change(str(number))
    found: list[float] = []
    watching = threading.Thread(target=watch, args=(platform, f'<p id="message">{number}<', found))
    watching.start()
    push_s = site.push("main")
    watching.join()
    newest = platform.call("GET", f"/v1/projects/{PROJECT}/deployments")["deployments"][0]
    arrived = datetime.fromisoformat(newest["created_at"]).timestamp()
    return Sample(push_s, found[0] - arrived, {name: ms / 1000 for name, ms in newest["timings_ms"].items()})


def measure(count: int) -> list[Figure]:
    """The figures of `count` pushes, in turns with pushes that deploy nothing."""
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as scratch, running(Path(scratch) / "stack") as platform:
        platform.call("POST", "/v1/projects", {"name": PROJECT})
        site = Site(platform, Path(scratch) / "site")
        for warm in range(2):
            sample(platform, site, warm)
        samples, plain = [], []
        for number in range(2, 2 + count):
            samples.append(sample(platform, site, number))
            plain.append(site.push(f"main:refs/heads/side-{number}"))
    baseline = sorted(plain)[len(plain) // 2]
    figures = [
        Figure.of("pack arrived to new content served", [s.live_s for s in samples], "s", at_most=GOAL_S),
        Figure.of("whole git push", [s.push_s for s in samples], "s", baseline=baseline),
    ]
    stages = {name: [s.stages.get(name, 0.0) for s in samples] for name in samples[0].stages}
    return figures + [Figure.of(f"stage {name}", values, "s") for name, values in stages.items()]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.push_to_live", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few pushes; ends within a minute")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    publish(measure(5 if options.quick else 30), options.json)


if __name__ == "__main__":
    main()
