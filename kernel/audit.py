"""What was changed and by whom: told in the transaction that changes it, kept by auth (docs/audit.md).

A service calls `record` beside each change to something that a team owns. The record leaves by the service's outbox, so
it is told if, and only if, the change was made. Values of secrets never go in: names only.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from kernel.authority import current
from kernel.database.pool import Transaction
from kernel.events import AuditRecorded, Envelope
from kernel.streams import publish
from kernel.telemetry import request_id, traceparent

Fields = dict[str, Any]
FIELDS_BYTES: Final = 32 * 1024  # of before and of after; a change must not fail because much was changed


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
    """Publishes a record of a change, with the actor and the address of the call that is being answered.

    Args:
        tx: the transaction that makes the change.
        action: noun first, lower case: "domain.create"; searched by its beginning.
        team_id: whose the changed thing is.
        project_id: "" for what belongs to the team as a whole.
        target: what was changed: an id, or a name where that says more.
        before: the changed fields as they were; None for what was made.
        after: as they are; None for what was deleted.
    """
    data = about(action, team_id=team_id, project_id=project_id, target=target, before=before, after=after)
    await publish(tx, Envelope(data=data, key=team_id, trace=traceparent.get()))


def about(
    action: str,
    *,
    team_id: str,
    project_id: str = "",
    target: str = "",
    before: Fields | None = None,
    after: Fields | None = None,
) -> AuditRecorded:
    """The record itself; arguments as those of `record`."""
    who = current()
    return AuditRecorded(
        action=action,
        team_id=team_id,
        project_id=project_id,
        target=target,
        actor_kind=who.kind.value,
        actor_id=who.actor_id,
        actor_name=who.name,
        credential_id=who.credential_id,
        address=who.address,
        request_id=request_id.get(),
        before=_bounded(before),
        after=_bounded(after),
    )


def _bounded(fields: Fields | None) -> Fields:
    """The fields as plain JSON values, or how large they would have been."""
    raw = orjson.dumps(fields or {}, default=str)
    return dict(orjson.loads(raw)) if len(raw) <= FIELDS_BYTES else {"omitted_bytes": len(raw)}
