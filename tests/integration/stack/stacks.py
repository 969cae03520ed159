"""Runs `shipoff up` for the tests and looks at it from outside, as an operator would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHIPOFF = [sys.executable, "-m", "stack.cli.main"]
READY_S = 90.0


def environment(**more: str) -> dict[str, str]:
    """This process's without settings of the platform."""
    # environ: programs are started as a user starts them
    return {name: value for name, value in os.environ.items() if not name.startswith("SHIPOFF_")} | more


def shipoff(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [*SHIPOFF, *arguments], capture_output=True, text=True, timeout=120, env=environment(**more), check=False
    )


@dataclass
class Stack:
    """A state directory and what runs in it."""

    directory: Path
    options: tuple[str, ...] = ("--no-demo",)
    variables: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def up(self) -> str:
        """Starts it detached; returns what was printed."""
        done = shipoff("up", "--detach", "--dir", str(self.directory), *self.options, **self.variables)
        assert done.returncode == 0, done.stdout + done.stderr
        self.output = done.stdout
        return done.stdout

    def down(self) -> None:
        """Stops it."""
        done = shipoff("down", "--dir", str(self.directory))
        assert done.returncode == 0, done.stderr

    def status(self) -> dict[str, Any]:
        """`shipoff status --json`."""
        found: dict[str, Any] = json.loads(shipoff("status", "--json", "--dir", str(self.directory)).stdout)
        return found

    def services(self) -> dict[str, dict[str, Any]]:
        """Its services by name."""
        return {row["name"]: row for row in self.status()["services"]}

    def secrets(self) -> dict[str, str]:
        """What it generated."""
        return self.kept("secrets")

    def kept(self, name: str) -> dict[str, Any]:
        """One of the files that it keeps its choices in."""
        known: dict[str, Any] = json.loads((self.directory / f"{name}.json").read_text())
        return known

    def until_ready_again(self, name: str, old_pid: int) -> None:
        """Waits until a unit runs under another pid and is ready."""
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            row = self.services()[name]
            if row["state"] == "ready" and row["pid"] != old_pid:
                return
        raise AssertionError(f"{name} did not come back: {self.status()}")

    def processes(self) -> list[int]:
        """Every process that names the directory in its arguments or environment, or works in it."""
        mark = str(self.directory).encode()
        return [pid for pid in _pids() if mark in _seen(pid)]

    def until_gone(self) -> None:
        """Waits until no process is left."""
        end = time.monotonic() + 20
        while left := self.processes():
            assert time.monotonic() < end, [_seen(pid)[:300] for pid in left]
            time.sleep(0.05)


def _pids() -> list[int]:
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()
    ]


def _seen(pid: int) -> bytes:
    entry = Path("/proc", str(pid))
    try:
        cwd = os.fsencode((entry / "cwd").readlink())
        return (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes() + cwd
    except OSError:
        return b""  # it ended, or is a zombie that its parent has not looked at yet
