"""Notices of what happens to deployments and previews. Pure."""

from __future__ import annotations

from typing import Any, Final

from control.projects.hooks.notify import Notice
from kernel.database.pool import Row
from kernel.deployments import State

_TOLD: Final = {
    State.QUEUED: "deployment.queued",
    State.BUILDING: "deployment.building",
    State.LIVE: "deployment.live",
    State.FAILED: "deployment.failed",
    State.CANCELED: "deployment.canceled",
    State.SUPERSEDED: "deployment.superseded",
}
_FIELDS: Final = ("id", "state", "kind", "stage", "reason", "hint", "ref", "message", "url", "release_id", "actor_id")


def of_deployment(row: Row) -> Notice | None:
    """What is told of a deployment that has just come into its state; None where nobody is told."""
    event = _TOLD.get(State(row["state"]))
    if event is None:
        return None
    said: dict[str, Any] = {name: row[name] for name in _FIELDS}
    said |= {
        "commit": row["commit_id"],
        "exit_status": row["exit_status"],
        "timings_ms": row["timings_ms"],
        "created_at": row["created_at"].isoformat(timespec="milliseconds"),
    }
    return Notice(event, row["project_id"], environment=row["environment"], data={"deployment": said})


def of_preview(project_id: str, environment: str, what: str) -> Notice:
    """What is told of a preview.

    Args:
        what: created or deleted.
    """
    return Notice(f"preview.{what}", project_id, environment=environment)
