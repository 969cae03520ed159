"""Preview environments: a deployment makes or prolongs one, and ending one tells the orchestrator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.projects.catalog.service import lock
from control.projects.github.reports import note_end
from control.projects.hooks.notices import of_preview
from control.projects.hooks.notify import notify
from control.projects.limits.admission import admit_preview
from control.projects.limits.refusals import LIMIT_PREVIEWS
from kernel import audit
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.errors import define
from kernel.events import Envelope, EnvironmentDeleted
from kernel.streams import publish
from kernel.telemetry import traceparent

PREVIEW_NOT_FOUND = define(
    "PREVIEW_NOT_FOUND", source="client", status=404, hint="see which there are: shipoff previews list"
)
PREFIX: Final = "preview/"
SQL: Final = load_queries("control.projects.previews")


@dataclass(frozen=True, slots=True)
class PreviewLimits:
    """What a project may have: `count` previews at a time, each `days` after its last deployment."""

    count: int
    days: int


@dataclass(frozen=True, slots=True)
class Preview:
    """One preview environment."""

    environment: str
    created_at: datetime
    deployed_at: datetime
    expires_at: datetime


class Previews:
    """Finds and ends previews."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, project_id: str) -> list[Preview]:
        """A project's previews, by name."""
        return [Preview(**row) for row in await self._database.fetch(SQL["list"], project_id)]

    async def end(self, project_id: str, environment: str) -> None:
        """Ends a preview; what it runs and serves goes as soon as the orchestrator hears of it.

        Raises:
            ShipoffError: PREVIEW_NOT_FOUND, PROJECT_NOT_FOUND.
        """
        async with self._database.transaction() as tx:
            await end(tx, project_id, environment)

    async def expired(self) -> list[tuple[str, str]]:
        """Project and environment of those whose time is over, at most 100."""
        return [(row["project_id"], row["environment"]) for row in await self._database.fetch(SQL["expired"])]


async def touch(tx: Transaction, project_id: str, environment: str, limits: PreviewLimits) -> None:
    """Makes a preview, or prolongs it; the project is locked by the caller.

    Raises:
        ShipoffError: LIMIT_PREVIEWS.
    """
    others = await tx.fetchval(SQL["others"], project_id, environment)
    if others >= limits.count:
        raise LIMIT_PREVIEWS(f"this platform gives a project {limits.count} previews at a time, and {others} are used")
    await admit_preview(tx, project_id, others)
    if await tx.fetchval(SQL["touch"], project_id, environment, limits.days):
        await notify(tx, of_preview(project_id, environment, "created"))


async def end(tx: Transaction, project_id: str, environment: str) -> None:
    """Ends a preview in a transaction of the caller's.

    Raises:
        ShipoffError: PREVIEW_NOT_FOUND, PROJECT_NOT_FOUND.
    """
    owner = await lock(tx, project_id)  # no deployment makes it anew in between
    if await tx.fetchval(SQL["remove"], project_id, environment) is None:
        raise PREVIEW_NOT_FOUND(f"there is no environment {environment[:80]!r}")
    event = EnvironmentDeleted(project_id, environment)
    await publish(tx, Envelope(data=event, key=f"{project_id}/{environment}", trace=traceparent.get()))
    await notify(tx, of_preview(project_id, environment, "deleted"))
    await note_end(tx, project_id, environment)
    await audit.record(tx, "environment.delete", team_id=owner, project_id=project_id, target=environment)
