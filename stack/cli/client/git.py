"""Runs the user's git, free of what an outer git process may have set."""

# environ: git runs for the user, with the user's environment
from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from stack.cli.client.failures import Failure


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The user's environment without GIT_…, plus `extra`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**inherited, **(extra or {})}


def run(folder: Path, *args: str, extra: Mapping[str, str] | None = None) -> str:
    """A git command that must succeed; returns what it printed.

    Raises:
        Failure: GIT_FAILED or GIT_MISSING.
    """
    done = attempt(folder, *args, extra=extra)
    if done.returncode != 0:
        raise Failure("GIT_FAILED", f"git {args[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


def attempt(folder: Path, *args: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A git command that may fail.

    Raises:
        Failure: GIT_MISSING.
    """
    try:
        return subprocess.run(
            ["git", *args],
            cwd=folder,
            env=environment(extra),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise Failure("GIT_MISSING", "there is no git on PATH", "install git") from None
