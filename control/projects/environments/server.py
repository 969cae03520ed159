"""The gRPC face of environments (proto/projects/v1/environments.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.projects.catalog.service import Catalog
from control.projects.env.merge import shown
from control.projects.env.server import readable, vars_to
from control.projects.env.service import Env
from control.projects.environments.service import Environment, Environments
from kernel.authority import Permission
from kernel.database import Database
from kernel.sealing import Sealer
from kernel.times import ms_of
from proto.projects.v1 import environments_pb2 as pb
from proto.projects.v1.environments_pb2_grpc import EnvironmentsServicer


class EnvironmentsServer(EnvironmentsServicer):
    """Answers the calls of environments.proto."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._catalog, self._environments, self._env = Catalog(database), Environments(database), Env(database, sealer)

    async def ListEnvironments(self, request: pb.ListEnvironmentsRequest, context: Any) -> pb.ListEnvironmentsResponse:
        """Production first."""
        project = await self._catalog.reach(request.project_id, Permission.DEPLOYMENT_READ)
        found = await self._environments.of(project)
        return pb.ListEnvironmentsResponse(environments=[_to(one) for one in found])

    async def GetEnvironment(self, request: pb.GetEnvironmentRequest, context: Any) -> pb.Environment:
        """With the variables that it gets, for those who may read them."""
        project = await self._catalog.reach(request.project_id, Permission.DEPLOYMENT_READ)
        found = (await self._environments.of(project, request.environment or "production"))[0]
        answer = _to(found)
        if readable(project):
            answer.vars_readable = True
            answer.vars.extend(vars_to(shown(await self._env.of(project.id), found.name), values=True))
        return answer


def _to(one: Environment) -> pb.Environment:
    return pb.Environment(
        name=one.name,
        live_deployment_id=one.live_deployment_id,
        url=one.url,
        branch=one.branch,
        deployed_at_ms=ms_of(one.deployed_at),
        expires_at_ms=ms_of(one.expires_at),
    )
