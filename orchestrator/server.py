"""The gRPC door: what runs and what is routed (proto/orchestrator/v1)."""

from __future__ import annotations

from typing import Any, Final

import orjson

from kernel.audit import record
from kernel.authority import Owners, Permission
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.errors import define
from orchestrator.release.canary_plan import CANARY_INVALID
from orchestrator.routes import current
from proto.orchestrator.v1 import orchestrator_pb2 as pb
from proto.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServicer

RELEASE_NOT_FOUND = define(
    "RELEASE_NOT_FOUND", source="client", status=404, hint="see what can be brought back: shipoff releases"
)
CANARY_NOT_FOUND = define(
    "CANARY_NOT_FOUND", source="client", status=404, hint="see which deployment is one: shipoff deployments"
)
ORDERS: Final = ("promote", "abort")
SQL: Final = load_queries("orchestrator")


class Door(OrchestratorServicer):
    """Answers from the database."""

    def __init__(self, database: Database, owners: Owners) -> None:
        self._database, self._owners = database, owners

    async def ListInstances(  # noqa: N802 - the name in the .proto
        self, request: pb.ListInstancesRequest, context: Any
    ) -> pb.ListInstancesResponse:
        """Instances that run or crashed, newest first, at most 200."""
        await self._owners.require(Permission.DEPLOYMENT_READ, request.project_id)
        rows = await self._database.fetch(SQL["instances_of_project"], request.project_id)
        return pb.ListInstancesResponse(instances=[_instance(row) for row in rows])

    async def ListRoutes(  # noqa: N802
        self, request: pb.ListRoutesRequest, context: Any
    ) -> pb.ListRoutesResponse:
        """The routes of a project, or of all."""
        await self._owners.require(Permission.PROJECT_READ, request.project_id)
        rows = await self._database.fetch(SQL["list_routes"], request.project_id)
        epoch, version = await current(self._database)
        return pb.ListRoutesResponse(routes=[_route(row) for row in rows], epoch=epoch, version=version)

    async def ListReleases(  # noqa: N802
        self, request: pb.ListReleasesRequest, context: Any
    ) -> pb.ListReleasesResponse:
        """Releases that can be brought back, newest first, at most 100."""
        await self._owners.require(Permission.DEPLOYMENT_READ, request.project_id)
        rows = await self._database.fetch(SQL["list_releases"], request.project_id, request.environment, "")
        return pb.ListReleasesResponse(releases=[_release(row) for row in rows])

    async def FindRelease(self, request: pb.FindReleaseRequest, context: Any) -> pb.Release:  # noqa: N802
        """The release that somebody means."""
        await self._owners.require(Permission.DEPLOYMENT_READ, request.project_id)
        wanted, project = request.wanted, request.project_id
        if not wanted:
            wanted = await self._database.fetchval(SQL["release_before"], project, request.environment)
        elif "_" not in wanted:  # an id has an underscore
            wanted = await self._database.fetchval(SQL["live_release"], project, wanted)
        row = await self._database.fetchrow(SQL["list_releases"], project, "", wanted) if wanted else None
        if row is None:
            raise RELEASE_NOT_FOUND(f"no release that is kept is {request.wanted[:80] or 'the one before'!r}")
        return _release(row)

    async def GetReport(self, request: pb.GetReportRequest, context: Any) -> pb.Report:  # noqa: N802
        """What is measured of a deployment so far; one that has not come here yet has nothing."""
        await self._owners.require(Permission.DEPLOYMENT_READ, request.project_id)
        row = await self._database.fetchrow(SQL["deployment_report"], request.deployment_id, request.project_id)
        return _report(row)

    async def SteerCanary(self, request: pb.SteerCanaryRequest, context: Any) -> pb.Report:  # noqa: N802
        """Leaves an order for whoever drives the canary."""
        team_id = await self._owners.require(Permission.DEPLOYMENT_UPDATE, request.project_id)
        if request.order not in ORDERS:
            raise CANARY_INVALID(f"{request.order[:80]!r} is neither promote nor abort")
        wanted = (request.deployment_id, request.project_id)
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(SQL["order_canary"], *wanted, request.order)
            if row is None:
                raise CANARY_NOT_FOUND(f"the deployment {request.deployment_id[:80]!r} has no canary that runs")
            if team_id:
                await record(
                    tx,
                    "canary.steer",
                    team_id=team_id,
                    project_id=request.project_id,
                    target=request.deployment_id,
                    after={"order": request.order},
                )
        return _report(await self._database.fetchrow(SQL["deployment_report"], *wanted))


def _instance(row: Row) -> pb.Instance:
    return pb.Instance(
        id=row["id"],
        project_id=row["project_id"],
        release_id=row["release_id"],
        state=row["state"],
        address=row["address"],
        exit_status=row["exit_status"],
        started_at_ms=int(row["started_at"].timestamp() * 1000),
    )


def _report(row: Row | None) -> pb.Report:
    if row is None:
        return pb.Report(measured="{}", canary="{}", canary_state="{}")
    return pb.Report(**{name: orjson.dumps(row[name]).decode() for name in ("measured", "canary", "canary_state")})


def _release(row: Row) -> pb.Release:
    return pb.Release(
        id=row["id"],
        deployment_id=row["deployment_id"],
        project_id=row["project_id"],
        environment=row["environment"],
        kind=row["kind"],
        created_at_ms=int(row["created_at"].timestamp() * 1000),
        live=row["live"],
        warm=row["warm"],
        plan=orjson.dumps(row["plan"]).decode(),
    )


def _route(row: Row) -> pb.Route:
    record = row["record"]
    return pb.Route(
        host=row["host"],
        path_prefix=row["path"],
        project_id=row["project_id"],
        release_id=record.get("release", ""),
        kind=record["kind"],
        version=row["version"],
    )
