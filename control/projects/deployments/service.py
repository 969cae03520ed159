"""Deployments: one attempt each to bring a commit live. The row and its event commit together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.projects.catalog.service import lock
from control.projects.deployments.rules import (
    Filter,
    canary_of,
    check_filter,
    check_request,
    check_source,
    first_line,
    kind_of,
)
from control.projects.hooks.notices import of_deployment
from control.projects.hooks.notify import notify
from control.projects.limits.admission import admit_deployment
from control.projects.previews.service import PreviewLimits, touch
from kernel import audit
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.deployments import UNFINISHED, Kind, State
from kernel.errors import ShipoffError, define
from kernel.events import DeploymentCanceled, DeploymentRequested, Envelope
from kernel.streams import publish
from kernel.telemetry import traceparent

DEPLOYMENT_NOT_FOUND = define(
    "DEPLOYMENT_NOT_FOUND", source="client", status=404, hint="see the project's deployments: shipoff deployments"
)
RELEASE_UNKNOWN = define(
    "RELEASE_UNKNOWN", source="client", status=404, hint="see what can be brought back: shipoff releases"
)
NOTHING_DEPLOYED = define(
    "NOTHING_DEPLOYED", source="client", status=409, hint="deploy something first: shipoff deploy"
)
DEPLOYMENT_FINISHED = define(
    "DEPLOYMENT_FINISHED", source="client", status=409, hint="what serves is replaced by another one: shipoff rollback"
)
DEPLOYMENT_ID_TAKEN = define("DEPLOYMENT_ID_TAKEN", source="client", status=409, hint="use a fresh id")

SQL: Final = load_queries("control.projects.deployments")
PRODUCTION: Final = "production"
PAGE: Final = 20
PAGE_MAX: Final = 100
ANY: Final = Filter()


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants deployed; fields as in CreateDeploymentRequest, and the deployment that is built again."""

    deployment_id: str
    project_id: str
    environment: str
    commit: str = ""
    ref: str = ""
    message: str = ""
    actor_id: str = ""
    kind: str = Kind.BUILD
    release_id: str = ""
    canary: str = ""
    redeploy_of: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """What a deployment is of; for those that build nothing, what their release was built from."""

    commit: str
    ref: str
    message: str


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
    kind: str
    arrival: int
    redeploy_of: str


class Deployments:
    """Makes and finds deployments; what moves them is lifecycle.py."""

    def __init__(self, database: Database, previews: PreviewLimits) -> None:
        self._database, self._previews = database, previews

    async def create(self, request: Request) -> Deployment:
        """Writes the row and `deployment.requested` in one transaction.

        The same id for the same commit of the same project again is the same deployment: nothing is written.

        Raises:
            ShipoffError: as `add`.
        """
        async with self._database.transaction() as tx:
            return await add(tx, request, self._previews)

    async def get(self, deployment_id: str, project_id: str = "") -> Deployment:
        """One deployment; with a project, only if it is that project's.

        Raises:
            ShipoffError: DEPLOYMENT_NOT_FOUND.
        """
        row = await self._database.fetchrow(SQL["get"], deployment_id, project_id)
        if row is None:
            raise unknown(deployment_id)
        return Deployment(**row)

    async def cancel(self, deployment_id: str, project_id: str) -> Deployment:
        """Asks for the end of a deployment; the orchestrator says when it has ended, and how.

        One that the routers were told of meanwhile gets LIVE: only a rollback takes it back.

        Raises:
            ShipoffError: DEPLOYMENT_NOT_FOUND, DEPLOYMENT_FINISHED.
        """
        deployment = await self.get(deployment_id, project_id)
        if deployment.state not in UNFINISHED:
            raise DEPLOYMENT_FINISHED(f"{deployment.id} is {deployment.state} already")
        key = f"{deployment.project_id}/{deployment.environment}"
        event = DeploymentCanceled(deployment.id, deployment.project_id, deployment.environment)
        async with self._database.transaction() as tx:
            owner = await lock(tx, deployment.project_id)
            await publish(tx, Envelope(data=event, key=key, trace=traceparent.get()))
            await audit.record(
                tx, "deployment.cancel", team_id=owner, project_id=deployment.project_id, target=deployment.id
            )
        return deployment

    async def recent(self, project_id: str, limit: int = 0, before: str = "", chosen: Filter = ANY) -> list[Deployment]:
        """A project's deployments, newest first.

        Args:
            project_id: of a project.
            limit: how many; 0 is 20, at most 100.
            before: only those accepted before this one, by its id.
            chosen: which of them.

        Raises:
            ShipoffError: DEPLOYMENT_INVALID for a filter that nothing can pass.
        """
        check_filter(chosen)
        count = min(limit, PAGE_MAX) if limit > 0 else PAGE
        wanted = (chosen.environment, list(chosen.states), list(chosen.kinds))
        return [
            Deployment(**row) for row in await self._database.fetch(SQL["list"], project_id, before, count, *wanted)
        ]


def unknown(deployment_id: str) -> ShipoffError:
    """What is raised for a deployment that is not there, or not for the one who asks."""
    return DEPLOYMENT_NOT_FOUND(f"there is no deployment {deployment_id[:80]!r}")


async def add(tx: Transaction, request: Request, previews: PreviewLimits) -> Deployment:
    """Writes a deployment and its event in a transaction of the caller's.

    Raises:
        ShipoffError: DEPLOYMENT_INVALID, PROJECT_NOT_FOUND, RELEASE_UNKNOWN, NOTHING_DEPLOYED,
            DEPLOYMENT_ID_TAKEN for another commit or project, or a LIMIT_… of the team's plan.
    """
    environment = request.environment or PRODUCTION
    kind = kind_of(request.kind)
    check_request(request.deployment_id, environment)
    owner = await lock(tx, request.project_id)  # events of one project leave in the order of their commits
    source = await _source(tx, request, kind, environment)
    if environment != PRODUCTION:
        await touch(tx, request.project_id, environment, previews)
    row = await tx.fetchrow(
        SQL["insert"],
        request.deployment_id,
        request.project_id,
        environment,
        State.QUEUED,
        source.commit,
        source.ref,
        first_line(source.message),
        request.actor_id,
        kind,
        request.redeploy_of,
    )
    if row is None:
        return _same(request, source, await tx.fetchrow(SQL["get"], request.deployment_id, ""))
    limits = await admit_deployment(tx, owner, builds=kind is Kind.BUILD)
    event = DeploymentRequested(
        request.deployment_id,
        request.project_id,
        environment,
        owner,
        kind,
        request.release_id,
        canary_of(request.canary),
        await tx.fetchval(SQL["next_ordinal"]),
        limits,
    )
    await publish(tx, Envelope(data=event, key=f"{request.project_id}/{environment}", trace=traceparent.get()))
    if notice := of_deployment(row):
        await notify(tx, notice)
    told = {"kind": kind.value, "environment": environment, "commit": source.commit, "release_id": request.release_id}
    await audit.record(
        tx, "deployment.create", team_id=owner, project_id=request.project_id, target=request.deployment_id, after=told
    )
    return Deployment(**row)


def again(earlier: Deployment, deployment_id: str, actor_id: str) -> Request:
    """The wish to build an earlier deployment's commit again, where it was: with the settings of now."""
    source = (earlier.commit_id, earlier.ref, earlier.message)
    return Request(
        deployment_id, earlier.project_id, earlier.environment, *source, actor_id=actor_id, redeploy_of=earlier.id
    )


async def live_in(tx: Transaction, project_id: str, environment: str) -> bool:
    """Whether something serves in an environment, as far as was reported."""
    return await tx.fetchrow(SQL["live"], project_id, environment) is not None


async def _source(tx: Transaction, request: Request, kind: Kind, environment: str) -> Source:
    if kind is Kind.BUILD:
        check_source(request.commit, request.ref)
        return Source(request.commit, request.ref, request.message)
    if kind is Kind.CONFIG:
        row = await tx.fetchrow(SQL["live"], request.project_id, environment)
        if row is None:
            raise NOTHING_DEPLOYED(f"nothing is live in {environment}")
    else:
        row = await tx.fetchrow(SQL["of_release"], request.project_id, request.release_id)
        if row is None:
            raise RELEASE_UNKNOWN(f"the project has no release {request.release_id[:80]!r}")
    return Source(row["commit_id"], row["ref"], row["message"])


def _same(request: Request, source: Source, row: Row | None) -> Deployment:
    if row is None or (row["project_id"], row["commit_id"]) != (request.project_id, source.commit):
        raise DEPLOYMENT_ID_TAKEN(f"the id {request.deployment_id} belongs to another deployment")
    return Deployment(**row)
