"""Moves a deployment from state to state: a compare-and-set in the database, and its event in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kernel.database import load_queries
from kernel.database.pool import Row, Transaction
from kernel.deployments import State, situations
from kernel.events import DeploymentStateChanged, Envelope
from kernel.streams import publish

SQL: Final = load_queries("orchestrator")


@dataclass(frozen=True, slots=True)
class Note:
    """What is known about a move, all of it optional; timings are stage -> milliseconds."""

    stage: str = ""
    reason: str = ""
    hint: str = ""
    detail: str = ""
    exit_status: int = 0
    url: str = ""
    release_id: str | None = None
    timings_ms: Mapping[str, int] = field(default_factory=dict)


NOTHING: Final = Note()


async def move(tx: Transaction, deployment_id: str, to: State, note: Note = NOTHING) -> Row | None:
    """Moves a deployment inside the caller's transaction.

    Returns:
        The row after the move; None when the deployment is not in a situation from which `to` may be reached.
    """
    row = await tx.fetchrow(
        SQL["move_deployment"],
        deployment_id,
        to.value,
        situations(to),
        note.stage,
        note.reason,
        note.hint,
        note.detail,
        note.exit_status,
        dict(note.timings_ms),
        note.url,
        note.release_id,
    )
    if row is not None:
        await publish(tx, Envelope(_event(row), key=f"{row['project_id']}/{row['environment']}"))
    return row


def _event(row: Row) -> DeploymentStateChanged:
    return DeploymentStateChanged(
        deployment_id=row["id"],
        project_id=row["project_id"],
        environment=row["environment"],
        state=row["state"],
        stage=row["stage"],
        reason=row["reason"],
        hint=row["hint"],
        detail=row["detail"],
        exit_status=row["exit_status"],
        url=row["url"],
        release_id=row["release_id"] or "",
        timings_ms=row["timings_ms"],
    )
