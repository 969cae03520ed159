"""Tells the orchestrator which hosts an environment has beside the platform's own: whole lists, the newest wins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from control.projects.domains.records import AppsUrl
from kernel.database import load_queries
from kernel.database.pool import Transaction
from kernel.events import DomainsChanged, Envelope
from kernel.streams import publish
from kernel.telemetry import traceparent

SQL: Final = load_queries("control.projects.domains")
Json = dict[str, Any]


async def tell(tx: Transaction, apps: AppsUrl, project_id: str, environments: Iterable[str]) -> None:
    """Publishes the lists of environments as they are in this transaction, in order; the project is locked in it.

    The number of a list is drawn after the change that it tells of: who takes over a name waits for the one before him
    to give it up, so the list that has the name later has the greater number.
    """
    for environment in dict.fromkeys(environments):
        rows = await tx.fetch(SQL["hosts"], project_id, environment)
        ordinal = await tx.fetchval(SQL["next_list"], project_id, environment)
        event = DomainsChanged(project_id, environment, ordinal, [host_of(apps, row) for row in rows])
        await publish(tx, Envelope(event, key=f"{project_id}/{environment}", trace=traceparent.get()))


async def withdraw(tx: Transaction, project_id: str) -> None:
    """Gives up all names of a project that is about to be deleted; it is no error when it is gone."""
    await tx.execute(SQL["lock_project"], project_id)
    await tx.execute(SQL["delete_all"], project_id)
    for row in await tx.fetch(SQL["lists_of_project"], project_id):
        environment = row["environment"]
        ordinal = await tx.fetchval(SQL["next_list"], project_id, environment)
        event = DomainsChanged(project_id, environment, ordinal, [])
        await publish(tx, Envelope(event, key=f"{project_id}/{environment}", trace=traceparent.get()))


def host_of(apps: AppsUrl, row: Any) -> Json:
    """A host as the event has it, of a row of `hosts` or `lists`."""
    location = apps.beside(row["redirect_to"]) if row["redirect_to"] else ""
    return {"host": row["name"], "location": location, "status": row["redirect_status"]}
