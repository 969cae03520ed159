"""Deployments: one attempt each to bring a commit live. The row and its event commit together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.projects.catalog.service import lock
from control.projects.deployments.rules import check_request, first_line
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.deployments import State
from kernel.errors import define
from kernel.events import DeploymentRequested, Envelope
from kernel.streams import publish
from kernel.telemetry import traceparent

DEPLOYMENT_NOT_FOUND = define(
    "DEPLOYMENT_NOT_FOUND", source="client", status=404, hint="see the project's deployments: shipoff deployments"
)
DEPLOYMENT_ID_TAKEN = define("DEPLOYMENT_ID_TAKEN", source="client", status=409, hint="use a fresh id")

SQL: Final = load_queries("control.projects.deployments")
PRODUCTION: Final = "production"
PAGE: Final = 20
PAGE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants deployed; fields as in CreateDeploymentRequest."""

    deployment_id: str
    project_id: str
    environment: str
    commit: str
    ref: str
    message: str
    actor_id: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as it stands in the database."""

    id: str
    project_id: str
    environment: str
    state: str
    stage: str
    reason: str
    hint: str
    exit_status: int
    commit_id: str
    ref: str
    message: str
    actor_id: str
    url: str
    release_id: str
    timings_ms: dict[str, int]
    created_at: datetime
    updated_at: datetime


class Deployments:
    """Makes and finds deployments; what moves them is lifecycle.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, request: Request) -> Deployment:
        """Writes the row and `deployment.requested` in one transaction.

        The same id for the same commit of the same project again is the same deployment: nothing is written.

        Raises:
            ShipoffError: DEPLOYMENT_INVALID, PROJECT_NOT_FOUND, or DEPLOYMENT_ID_TAKEN for another commit or project.
        """
        environment = request.environment or PRODUCTION
        check_request(request.deployment_id, environment, request.commit, request.ref)
        async with self._database.transaction() as tx:
            owner = await lock(tx, request.project_id)  # events of one project leave in the order of their commits
            row = await tx.fetchrow(
                SQL["insert"],
                request.deployment_id,
                request.project_id,
                environment,
                State.QUEUED,
                request.commit,
                request.ref,
                first_line(request.message),
                request.actor_id,
            )
            if row is None:
                return _same(request, await tx.fetchrow(SQL["get"], request.deployment_id, ""))
            event = DeploymentRequested(request.deployment_id, request.project_id, environment, owner)
            key = f"{request.project_id}/{environment}"
            await publish(tx, Envelope(data=event, key=key, trace=traceparent.get()))
        return Deployment(**row)

    async def get(self, deployment_id: str, project_id: str = "") -> Deployment:
        """One deployment; with a project, only if it is that project's.

        Raises:
            ShipoffError: DEPLOYMENT_NOT_FOUND.
        """
        row = await self._database.fetchrow(SQL["get"], deployment_id, project_id)
        if row is None:
            raise DEPLOYMENT_NOT_FOUND(f"there is no deployment {deployment_id[:80]!r}")
        return Deployment(**row)

    async def recent(self, project_id: str, limit: int = 0, before: str = "") -> list[Deployment]:
        """A project's deployments, newest first.

        Args:
            project_id: of a project.
            limit: how many; 0 is 20, at most 100.
            before: only those older than this id.
        """
        count = min(limit, PAGE_MAX) if limit > 0 else PAGE
        return [Deployment(**row) for row in await self._database.fetch(SQL["list"], project_id, before, count)]


def _same(request: Request, row: Row | None) -> Deployment:
    if row is None or (row["project_id"], row["commit_id"]) != (request.project_id, request.commit):
        raise DEPLOYMENT_ID_TAKEN(f"the id {request.deployment_id} belongs to another deployment")
    return Deployment(**row)
