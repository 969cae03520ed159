"""Who asks this service, and whose the projects are that it keeps lines of."""

from __future__ import annotations

from functools import partial

from kernel.authority import Border, Owners
from kernel.rpc import RpcClient
from logsink.settings import LogsinkSettings
from proto.auth.v1.auth_pb2_grpc import AuthStub
from proto.auth.v1.keys import fetch
from proto.projects.v1.owners import team_of
from proto.projects.v1.projects_pb2_grpc import ProjectsStub


class Authority:
    """The border of this service and the owners of projects, over channels to auth and projects."""

    def __init__(self, settings: LogsinkSettings) -> None:
        self._auth = RpcClient(settings.auth_address, settings.service_token)
        self._projects = RpcClient(settings.projects_address, settings.service_token)
        self.border = Border(partial(fetch, self._auth.stub(AuthStub)))
        self.owners = Owners(partial(team_of, self._projects.stub(ProjectsStub)))

    async def close(self) -> None:
        """Closes the channels."""
        await self._auth.close()
        await self._projects.close()
