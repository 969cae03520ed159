"""Auth's own changes go into the log directly, in the transaction that makes them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kernel.audit import Fields, about
from kernel.database import load_queries
from kernel.database.pool import Transaction
from kernel.events import AuditRecorded, Envelope

SQL: Final = load_queries("control.auth.audit")


async def record(
    tx: Transaction,
    action: str,
    *,
    team_id: str,
    project_id: str = "",
    target: str = "",
    before: Fields | None = None,
    after: Fields | None = None,
) -> None:
    """Writes a record; arguments as those of kernel/audit.py's, which other services call.

    What somebody changes in their own account is recorded for their personal team.
    """
    data = about(action, team_id=team_id, project_id=project_id, target=target, before=before, after=after)
    await write(tx, Envelope(data=data, key=team_id), data)


async def write(tx: Transaction, envelope: Envelope, data: AuditRecorded) -> None:
    """Adds the row of a record, unless it is there."""
    await tx.execute(
        SQL["insert"],
        f"aud_{envelope.id[4:]}",
        datetime.fromisoformat(envelope.at),
        data.team_id,
        data.project_id,
        data.action,
        data.target,
        data.actor_kind,
        data.actor_id,
        data.actor_name,
        data.credential_id,
        data.address,
        data.request_id,
        data.before,
        data.after,
    )
