"""What GitHub is told of a deployment's state, and what the comment of a pull request says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kernel.deployments import State

# State -> commit status (docs: "Create a commit status"; None leaves it), deployment status, words.
_TOLD: Final[dict[State, tuple[str | None, str, str]]] = {
    State.QUEUED: ("pending", "queued", "Waiting"),
    State.BUILDING: ("pending", "in_progress", "Building"),
    State.PROVISIONING: ("pending", "in_progress", "Starting"),
    State.LIVE: ("success", "success", "Ready"),
    State.INACTIVE: (None, "inactive", "Replaced by a newer deployment"),
    State.FAILED: ("failure", "failure", "Failed"),
    State.CANCELED: ("error", "error", "Canceled"),
    State.SUPERSEDED: ("error", "inactive", "A newer push took its place"),
}
DESCRIPTION: Final = 140  # characters (docs: "Create a commit status")
MARK: Final = "<!-- shipoff: previews -->"
NAME: Final = "shipoff"


@dataclass(frozen=True, slots=True)
class Preview:
    """One row of the comment: a project's newest deployment for the pull request.

    Attributes:
        over: the preview is ended.
        at: of the last change.
    """

    project: str
    state: str
    reason: str
    url: str
    commit: str
    at: datetime
    over: bool


def commit_status(project: str, environment: str, state: str, reason: str, url: str) -> dict[str, Any] | None:
    """The body of "Create a commit status"; None when the state changes nothing about the commit."""
    told, _, words = _TOLD[State(state)]
    if told is None:
        return None
    kind = "production" if environment == "production" else "preview"
    # A context for each: a commit may be in a branch's preview and in a pull request's at once.
    context = f"{NAME}/{project} ({environment if len(environment) <= 60 else kind})"
    return {"state": told, "context": context, "description": _words(words, reason)} | _link("target_url", url)


def deployment(project: str, environment: str, commit: str) -> dict[str, Any]:
    """The body of "Create a deployment": of a commit as it is, whatever its checks say."""
    return {
        "ref": commit,
        "environment": f"{project}/{environment}"[:255],
        "description": f"Deployed by Shipoff to {environment}"[:DESCRIPTION],
        "auto_merge": False,
        "required_contexts": [],
        "transient_environment": environment != "production",
        "production_environment": environment == "production",
    }


def deployment_status(state: str, reason: str, url: str) -> dict[str, Any]:
    """The body of "Create a deployment status"."""
    _, told, words = _TOLD[State(state)]
    return {"state": told, "description": _words(words, reason), "auto_inactive": True} | _link("environment_url", url)


def comment(previews: Sequence[Preview]) -> str:
    """The comment: a table, by which it is found again through its mark."""
    lines = [
        MARK,
        "**Previews**",
        "",
        "| Project | State | URL | Commit | Updated (UTC) |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [_row(one) for one in sorted(previews, key=lambda one: one.project)]
    return "\n".join(lines) + "\n"


def _row(one: Preview) -> str:
    words = "Ended" if one.over else _words(_TOLD[State(one.state)][2], one.reason)
    url = "" if one.over or not one.url else f"<{one.url}>"
    cells = (one.project, words, url, f"`{one.commit[:7]}`", one.at.strftime("%Y-%m-%d %H:%M"))
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _words(words: str, reason: str) -> str:
    return f"{words}: {reason}"[:DESCRIPTION] if reason and words == "Failed" else words


def _link(name: str, url: str) -> dict[str, str]:
    return {name: url} if url else {}
