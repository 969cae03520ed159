"""`git push` of one commit to refs/deploy/production, with what the platform says on the way.

The token reaches git through the environment and a credential helper, never through an argument or the URL.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from stack.cli.client import git
from stack.cli.client.credentials import Credentials
from stack.cli.client.failures import Exit, Failure
from stack.cli.client.snapshot import Snapshot

REF: Final = "refs/deploy"
_HELPER: Final = '!f() { test "$1" = get && printf "username=shipoff\\npassword=%s\\n" "$SHIPOFF_PUSH_TOKEN"; }; f'
# The user's own configuration and hooks stay out of it: they are about the user's branches.
_PLAIN: Final = ("--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no", "--porcelain")
_DEPLOYMENT: Final = re.compile(r"deployment (dep_[0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Pushed:
    """How a push ended: whether the deployment is live, and its id if it got one."""

    live: bool
    deployment_id: str


def push(
    folder: Path, url: str, who: Credentials, snapshot: Snapshot, environment: str, tell: Callable[[str], None]
) -> Pushed:
    """Pushes and waits for the deployment.

    Args:
        folder: where git runs.
        url: of the project's repository.
        who: whose token.
        snapshot: the commit.
        environment: where it is deployed, or `canary/<steps>`.
        tell: gets each line of the platform.

    Raises:
        Failure: when there was no answer about a deployment: the token, the project, the network.
    """
    extra = {**snapshot.variables, "SHIPOFF_PUSH_TOKEN": who.token, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    settings = ("-c", "credential.helper=", "-c", f"credential.helper={_HELPER}")
    process = subprocess.Popen(
        ["git", *settings, "push", *_PLAIN, url, f"+{snapshot.commit}:{REF}/{environment}"],
        cwd=folder,
        env=git.environment(extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None  # noqa: S101 - PIPE was asked for
    deployment_id, complaints = "", []
    with process:
        for line in _lines(process.stderr):
            if line.startswith("remote:"):
                text = line.removeprefix("remote:").removeprefix(" ").rstrip()
                deployment_id = match[1] if (match := _DEPLOYMENT.match(text)) else deployment_id
                tell(text)
            else:
                complaints.append(line)
    if process.returncode != 0 and not deployment_id:
        raise _failure(complaints)
    return Pushed(process.returncode == 0, deployment_id)


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for raw in stream:
        yield raw.decode(errors="replace").rstrip("\n").rpartition("\r")[2]


def _failure(complaints: list[str]) -> Failure:
    text = "; ".join(line.strip() for line in complaints if line.startswith(("fatal:", "error:"))) or "git push failed"
    if "Authentication failed" in text or "403" in text:
        return Failure("TOKEN_INVALID", text, "shipoff login", Exit.AUTH)
    if "not found" in text:
        return Failure("PROJECT_NOT_FOUND", text, "shipoff projects list", Exit.NOT_FOUND)
    if "unable to access" in text:
        return Failure("PLATFORM_UNREACHABLE", text, "is it running? shipoff status", Exit.UNREACHABLE)
    return Failure("PUSH_FAILED", text)
