"""A platform of its own for a bench, and a developer's working copy that is pushed to it."""

# environ: git and the platform run with the environment of whoever runs the bench.

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIPOFF = [sys.executable, "-m", "stack.cli.main"]


@dataclass(frozen=True)
class Platform:
    """Where it answers, and the owner's token."""

    directory: Path
    gateway: str
    router: str
    token: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One REST call.

        Raises:
            RuntimeError: it was refused.
        """
        asking = connection(self.gateway)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        asking.request(method, path, None if body is None else json.dumps(body), headers)
        answer = asking.getresponse()
        raw = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {raw!r}")
        return json.loads(raw)

    def look_up(self, host: str) -> dict[str, Any]:
        """What a router worker would do with a request for the host's start page."""
        admins = json.loads((self.directory / "status.json").read_text())["admins"]
        asking = http.client.HTTPConnection(admins["router"], timeout=10)
        asking.request("GET", f"/debug/lookup?host={host}&path=/")
        found: dict[str, Any] = json.loads(asking.getresponse().read())["workers"][0]
        asking.close()
        return found


def connection(url: str) -> http.client.HTTPConnection:
    """To a door of the platform."""
    host, _, port = url.removeprefix("http://").partition(":")
    return http.client.HTTPConnection(host, int(port), timeout=60)


@contextmanager
def running(directory: Path, **variables: str) -> Iterator[Platform]:
    """A platform for the length of the block.

    Args:
        variables: of its environment, beside this process's.
    """
    command = [*SHIPOFF, "up", "--detach", "--no-demo", "--dir", str(directory)]
    env = {**os.environ, **variables}
    up = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240, env=env)
    token = re.search(r"\bshp_[A-Za-z0-9_-]+", up.stdout)
    if token is None:
        raise RuntimeError(up.stdout)
    try:
        command = [*SHIPOFF, "status", "--json", "--dir", str(directory)]
        urls = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=30).stdout)["urls"]
        yield Platform(directory, urls["gateway"], urls["router"], token[0])
    finally:
        subprocess.run([*SHIPOFF, "down", "--dir", str(directory)], check=True, capture_output=True, timeout=90)


class WorkingCopy:
    """A copy of an example with its project's remote."""

    def __init__(self, platform: Platform, project: str, example: Path, directory: Path) -> None:
        self._platform, self.directory = platform, directory
        shutil.copytree(example, directory)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "shipoff", f"{platform.gateway}/git/{project}.git")

    def git(self, *arguments: str) -> None:
        """Runs git here."""
        helper = "!f() { echo username=x; echo password=$SHIPOFF_TOKEN; }; f"
        config = ["-c", "user.name=Bench", "-c", "user.email=bench@localhost"]
        config += ["-c", "credential.helper=", "-c", f"credential.helper={helper}"]
        env = {**os.environ, "SHIPOFF_TOKEN": self._platform.token}
        subprocess.run(
            ["git", *config, *arguments], cwd=self.directory, env=env, check=True, capture_output=True, timeout=240
        )

    def commit(self, message: str) -> None:
        """Commits everything."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def push(self, ref: str = "main") -> None:
        """Pushes and waits, as git does."""
        self.git("push", "-q", "shipoff", ref)
