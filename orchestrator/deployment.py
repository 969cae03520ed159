"""B4: brings one deployment from the state that its row shows to its end; one method per stage.

Each stage may be repeated: after a crash the work begins again from the row's state (a build from its beginning, a
release from its start, a flip from waiting for the routers). What the platform itself is missing for a while (the
database, the object store, the gateway) is waited for, within a bound; what the user's code does wrong fails at once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final
from urllib.parse import urlsplit

from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.deployments import Stage, State
from kernel.errors import INTERNAL, ShipoffError
from kernel.events import Envelope, ReleaseLive
from kernel.rpc import RpcClient
from kernel.sealing import Sealer
from kernel.streams import publish
from orchestrator.acknowledgements import Acknowledgements
from orchestrator.attempt import Attempt
from orchestrator.build.builder import Builder
from orchestrator.drivers.base import InstanceInfo
from orchestrator.failures import ProcessFailedError
from orchestrator.keeper import Keeper
from orchestrator.logs import BuildLog, LogClient
from orchestrator.moves import Note, move, move_alone
from orchestrator.patience import Patience
from orchestrator.release.release import Release, load, save
from orchestrator.routes import RouteTable
from orchestrator.settings import OrchestratorSettings
from proto.projects.v1.projects_pb2 import DeploymentSpec, GetDeploymentRequest
from proto.projects.v1.projects_pb2_grpc import ProjectsStub

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)


class _OvertakenError(Exception):
    """The deployment was superseded or canceled between two steps; its row tells by whom."""


class Deployer:
    """Works on deployments; `deploy` is what the environments' runners call."""

    def __init__(
        self,
        settings: OrchestratorSettings,
        database: Database,
        builder: Builder,
        patience: Patience,
        table: RouteTable,
        acknowledgements: Acknowledgements,
        keeper: Keeper,
        sealer: Sealer,
        logs: LogClient,
    ) -> None:
        self._settings, self._database = settings, database
        self._builder, self._patiently = builder, patience
        self._table, self._acknowledgements, self._keeper = table, acknowledgements, keeper
        self._sealer, self._logs = sealer, logs
        self._rpc = RpcClient(settings.projects_address, settings.service_token)
        self._projects = self._rpc.stub(ProjectsStub)
        self._builds = asyncio.Semaphore(settings.builds)

    async def close(self) -> None:
        """Closes the channel to the projects service."""
        await self._rpc.close()

    async def deploy(self, row: Row) -> None:
        """Brings a deployment to LIVE or FAILED.

        Raises:
            ShipoffError: the database is away, so that nothing could be written; call again with the row as it is then.
        """
        attempt = Attempt(row, BuildLog(self._logs, row["project_id"], row["id"]))
        try:
            await self._advance(attempt)
        except _OvertakenError:
            log.info("deployment %s was ended from outside", attempt.id)
        except ProcessFailedError as failure:
            await self._fail(attempt, failure.error, failure.exit_status, list(failure.last_lines))
        except ShipoffError as error:
            await self._fail(attempt, error)
        except Exception as error:  # a fault of ours must not leave a deployment unfinished
            log.exception("deployment %s failed in stage %s", attempt.id, attempt.stage)
            await self._fail(attempt, INTERNAL(f"the platform failed in stage {attempt.stage}: {type(error).__name__}"))
        finally:
            await asyncio.shield(attempt.log.finish())

    async def _advance(self, attempt: Attempt) -> None:
        row = attempt.row
        if row["state"] in (State.QUEUED, State.BUILDING):
            async with self._builds:
                row = await self._build(attempt)
        release = await load(self._database, row["release_id"], self._sealer)
        with self._keeper.claim(release.id):
            if not row["flipped"]:
                infos = await self._start(attempt, release, row["host"])
                attempt.enter(Stage.ROUTE)
                row = await self._patiently(lambda: self._flip(attempt, release, infos))
            attempt.stage = Stage.ROUTE
            await self._confirm(attempt, release, row)

    # --- BUILDING: source -> plan -> tree -> artifact -> release ------------------------------------------------------

    async def _build(self, attempt: Attempt) -> Row:
        if attempt.row["state"] == State.QUEUED:
            await self._moved(attempt, State.BUILDING)
        spec: DeploymentSpec = await self._patiently(
            lambda: self._projects.GetDeploymentSpec(GetDeploymentRequest(deployment_id=attempt.id))
        )
        built = await self._builder.build(attempt, spec)
        attempt.enter(Stage.RELEASE)
        release = Release(
            id=built.release_id,
            deployment_id=attempt.id,
            project_id=spec.project.id,
            environment=spec.deployment.environment,
            kind=built.plan.kind,
            artifact=built.artifact,
            plan=built.plan,
            health_strict=built.plan.health.strict,
            env=dict(spec.env),
        )
        return await self._patiently(lambda: self._release(attempt, release, spec.project.name))

    async def _release(self, attempt: Attempt, release: Release, project_name: str) -> Row:
        url = self._settings.apps_url.format(project=project_name)
        async with self._database.transaction() as tx:
            await save(tx, release, self._sealer)
            await tx.execute(SQL["set_host"], attempt.id, urlsplit(url).hostname or "")
            attempt.leave()
            note = Note(release_id=release.id, url=url, timings_ms=attempt.timings_ms)
            row = await move(tx, attempt.id, State.PROVISIONING, note)
            if row is None:
                raise _OvertakenError
        return row

    # --- PROVISIONING: instances -> routes -> routers -> LIVE ---------------------------------------------------------

    async def _start(self, attempt: Attempt, release: Release, host: str) -> list[InstanceInfo]:
        if release.kind == "static":
            return []
        return [await self._patiently(lambda: self._keeper.bring_up(release, host, attempt.enter))]

    async def _flip(self, attempt: Attempt, release: Release, infos: list[InstanceInfo]) -> Row:
        """Points the routes at the release, all or nothing; from here on a newer deployment waits for this one."""
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(SQL["get_deployment"], attempt.id)
            if row is None or row["flipped"]:
                raise _OvertakenError  # by ourselves: the commit was done although its answer was lost
            previous = await tx.fetchval(SQL["get_route"], row["host"], "/")
            if release.kind == "dynamic":
                await self._keeper.put_endpoints(tx, release.id, infos)
            version = await self._table.put_route(tx, _route(release, row["host"]))
            flipped: Row | None = await tx.fetchrow(SQL["flip_deployment"], attempt.id, version, previous)
            if flipped is None:
                raise _OvertakenError  # nothing of this transaction stays
        return flipped

    async def _confirm(self, attempt: Attempt, release: Release, row: Row) -> None:
        await self._acknowledgements.wait(row["routes_version"], self._settings.routers_s)
        attempt.leave()
        await self._patiently(lambda: self._live(attempt, release, row))

    async def _live(self, attempt: Attempt, release: Release, row: Row) -> None:
        environment = (row["project_id"], row["environment"])
        async with self._database.transaction() as tx:
            before = await tx.fetchrow(SQL["live_deployment"], *environment)
            if before is not None and before["id"] != attempt.id:
                await move(tx, before["id"], State.INACTIVE)
            note = Note(url=row["url"], timings_ms=attempt.timings_ms)
            if await move(tx, attempt.id, State.LIVE, note) is not None:
                await publish(
                    tx, Envelope(ReleaseLive(release.id, *environment, row["url"]), key="/".join(environment))
                )

    # --- what every stage shares --------------------------------------------------------------------------------------

    async def _moved(self, attempt: Attempt, to: State) -> None:
        row = await self._patiently(lambda: move_alone(self._database, attempt.id, to))
        if row is None:
            raise _OvertakenError

    async def _fail(
        self, attempt: Attempt, error: ShipoffError, exit_status: int = 0, last_lines: list[str] | None = None
    ) -> None:
        for line in last_lines or []:
            await attempt.log.line("stderr", f"  | {line}")
        await attempt.log.say(f"{error.code}: {error.detail}")
        await attempt.log.finish()  # who waits for the verdict has seen why when it comes
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(SQL["unflip_deployment"], attempt.id)
            if row is not None:  # what served before serves again
                await self._restore(tx, row)
            await move(tx, attempt.id, State.FAILED, _note(attempt, error, exit_status))

    async def _restore(self, tx: Transaction, row: Row) -> None:
        if row["previous_route"] is None:
            await self._table.delete_route(tx, row["host"], "/")
        else:
            await self._table.put_route(tx, row["previous_route"])


def _note(attempt: Attempt, error: ShipoffError, exit_status: int = 0) -> Note:
    attempt.leave()
    return Note(
        stage=attempt.stage.value,
        reason=error.code,
        hint=error.hint,
        detail=error.detail,
        exit_status=exit_status,
        timings_ms=attempt.timings_ms,
    )


def _route(release: Release, host: str) -> dict[str, Any]:
    record: dict[str, Any] = {
        "host": host,
        "path": "/",
        "project": release.project_id,
        "environment": release.environment,
        "kind": release.kind,
        "release": release.id,
        "rules": {},
    }
    if release.kind == "static":
        record["manifest"] = release.artifact
    return record
