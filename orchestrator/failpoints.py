"""The boundaries of a deployment at which a test may kill this process.

Off, and free of cost, unless the setting `failpoint` names a file. The process that reaches the boundary whose name the
file holds removes the file and sends itself SIGKILL; the next process goes on past it. Whether a deployment survives is
thus asked at every boundary that there is, not at the moments that a test happens to hit.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum
from pathlib import Path

from kernel.deployments import Stage


class Write(StrEnum):
    """What is written for a deployment, each in one transaction."""

    BEGIN = "begin"
    RELEASE = "release"
    SHARE = "share"  # a canary's
    REPORT = "report"
    FLIP = "flip"
    LIVE = "live"
    FAIL = "fail"


def before(write: Write) -> str:
    """The boundary at which all is written and nothing committed."""
    return f"before {write}"


def after(write: Write) -> str:
    """The boundary at which it is committed and nobody was told."""
    return f"after {write}"


def entering(stage: Stage) -> str:
    """The boundary in front of a stage."""
    return f"entering {stage}"


class Failpoints:
    """Where this process ends; `path` "" is nowhere."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None

    def reached(self, boundary: str) -> None:
        """Ends the process if it is to end here."""
        if self._path is None or not self._path.exists() or self._path.read_text() != boundary:
            return
        self._path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
