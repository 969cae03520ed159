"""The platform's own services as processes that tests start and end."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MODULES = {
    "auth": "control.auth",
    "projects": "control.projects",
    "logsink": "logsink",
    "orchestrator": "tests.integration.control.doors",
    "gateway": "control.gateway",
}
READY_S = 30.0
END_S = 15.0
Process = subprocess.Popen[bytes]


@contextmanager
def running(names: Iterable[str], environment: Mapping[str, str], folder: Path) -> Iterator[dict[str, Process]]:
    """Services that are ready; they end in the reverse order.

    Args:
        names: of MODULES.
        environment: theirs; SHIPOFF_<NAME>_ADMIN has where each is asked whether it is ready.
        folder: gets a log of each.
    """
    started: dict[str, Process] = {}
    try:
        for name in names:
            started[name] = _start(name, environment, folder / f"{name}.log")
        for name in started:
            port = environment[f"SHIPOFF_{name.upper()}_ADMIN"].rpartition(":")[2]
            _await_ready(int(port), folder / f"{name}.log")
        yield started
    finally:
        for process in reversed(started.values()):
            process.terminate()
        for process in started.values():
            process.wait(END_S)


def _start(name: str, environment: Mapping[str, str], log: Path) -> Process:
    with log.open("ab") as out:
        return subprocess.Popen([sys.executable, "-m", MODULES[name]], env=environment, stdout=out, stderr=out)


def _await_ready(port: int, log: Path) -> None:
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"not ready: {log.read_text()[-4000:]}")
