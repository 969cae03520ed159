"""The gRPC face of env vars (proto/projects/v1/env.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from control.projects.catalog.service import Catalog, Project, lock
from control.projects.deployments.change import deploy_change
from control.projects.deployments.service import PRODUCTION
from control.projects.env.difference import Difference, difference
from control.projects.env.dotenv_text import read, write
from control.projects.env.merge import EnvVar
from control.projects.env.rules import ALL, PREVIEWS, check_environment
from control.projects.env.service import Env, EnvChange
from control.projects.previews.service import PreviewLimits
from kernel.authority import Permission, Resource, allowed
from kernel.database import Database
from kernel.database.pool import Transaction
from kernel.sealing import Sealer
from kernel.times import ms_of
from proto.projects.v1 import env_pb2 as pb
from proto.projects.v1.env_pb2_grpc import EnvVarsServicer


class EnvServer(EnvVarsServicer):
    """Answers the calls of env.proto."""

    def __init__(self, database: Database, sealer: Sealer, limits: PreviewLimits) -> None:
        self._database, self._limits = database, limits
        self._catalog, self._env = Catalog(database), Env(database, sealer)

    async def SetEnv(self, request: pb.SetEnvRequest, context: Any) -> pb.ListEnvResponse:
        """All changes or none, and with them, when asked for, the deployment that brings them live."""
        change = EnvChange(
            put=request.set,
            remove=request.unset,
            environment=request.environment or ALL,
            scope=request.scope,
            secret=request.secret if request.HasField("secret") else None,
        )
        async with self._database.transaction() as tx:
            version = await self._env.change(tx, request.project_id, change, request.expect_version)
            made = await self._deployed(tx, request, change)
            after = await self._env.locked(tx, request.project_id)
        project = await self._catalog.get(request.project_id)
        return pb.ListEnvResponse(vars=vars_to(after, readable(project)), deployment_id=made, version=version)

    async def ListEnv(self, request: pb.ListEnvRequest, context: Any) -> pb.ListEnvResponse:
        """In clear, but for secrets."""
        project = await self._catalog.reach(request.project_id, Permission.ENV_READ)
        found = await self._chosen(project, request.environment)
        return pb.ListEnvResponse(vars=vars_to(found, values=True), version=project.version)

    async def ImportEnv(self, request: pb.ImportEnvRequest, context: Any) -> pb.ImportEnvResponse:
        """Compares, and unless it is a dry run writes, in one transaction."""
        secret = request.secret if request.HasField("secret") else None
        environment = request.environment or ALL
        project = await self._catalog.reach(request.project_id, Permission.ENV_READ)
        check_environment(environment)
        wanted = read(request.text)
        async with self._database.transaction() as tx:
            await lock(tx, project.id)
            before = [one for one in await self._env.locked(tx, project.id) if one.environment == environment]
            found = difference(before, wanted, scope=request.scope, secret=secret, replace=request.replace)
            if request.dry_run:
                return _difference_to(found, version=project.version)
            change = EnvChange(_new(wanted, found), found.removed, environment, request.scope, secret)
            if not change.put and not change.remove:
                return _difference_to(found, version=project.version)
            version = await self._env.change(tx, project.id, change, request.expect_version)
            return _difference_to(found, version=version, made=await self._deployed(tx, request, change))

    async def ExportEnv(self, request: pb.ListEnvRequest, context: Any) -> pb.ExportEnvResponse:
        """Those that are set for one environment; "" is those for all."""
        project = await self._catalog.reach(request.project_id, Permission.ENV_READ)
        environment = request.environment or ALL
        found = await self._chosen(project, environment)
        text = write(found, f"variables of {project.name} for {environment}")
        return pb.ExportEnvResponse(text=text, secrets=[one.name for one in found if one.secret])

    async def _chosen(self, project: Project, environment: str) -> list[EnvVar]:
        if environment:
            check_environment(environment)
        return [one for one in await self._env.of(project.id) if environment in ("", one.environment)]

    async def _deployed(
        self, tx: Transaction, request: pb.SetEnvRequest | pb.ImportEnvRequest, change: EnvChange
    ) -> str:
        """The deployment that brings a change live; "" for none.

        What is for all environments goes to production at once, and to previews with their next deployment, as what is
        for all previews does: ten of them at a time would be nobody's wish.
        """
        if not request.deploy or change.scope == "build" or change.environment == PREVIEWS:
            return ""
        environment = PRODUCTION if change.environment == ALL else change.environment
        return await deploy_change(tx, request.project_id, environment, request.actor_id, self._limits)


def readable(project: Project) -> bool:
    """Whether the caller may see values: who may set variables need not."""
    return bool(allowed(Permission.ENV_READ, Resource(project.team_id, project.id)))


def vars_to(variables: Iterable[EnvVar], values: bool) -> list[pb.EnvVar]:
    """Variables as messages; a secret's value never leaves."""
    return [
        pb.EnvVar(
            name=one.name,
            value=one.value if values and not one.secret else None,
            updated_at_ms=ms_of(one.updated_at),
            scope=one.scope,
            environment=one.environment,
            secret=one.secret,
        )
        for one in variables
    ]


def _new(wanted: Mapping[str, str], found: Difference) -> dict[str, str]:
    return {name: wanted[name] for name in (*found.added, *found.changed)}


def _difference_to(found: Difference, *, version: int, made: str = "") -> pb.ImportEnvResponse:
    return pb.ImportEnvResponse(
        added=found.added,
        changed=found.changed,
        unchanged=found.unchanged,
        removed=found.removed,
        deployment_id=made,
        version=version,
    )
