"""Which other projects the team of a project has."""

from __future__ import annotations

from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from proto.projects.v1.projects_pb2 import GetProjectRequest
from proto.projects.v1.projects_pb2_grpc import ProjectsStub


class Siblings:
    """Asks the projects service.

    Args:
        projects: the channel to it.
    """

    def __init__(self, projects: RpcClient) -> None:
        self._stub = projects.stub(ProjectsStub)

    async def may_read(self, team_id: str, project: str) -> bool:
        """Whether a team owns a project, by its name.

        Raises:
            ShipoffError: the service can't be asked.
        """
        try:
            await self._stub.GetProject(GetProjectRequest(project=project, team_id=team_id))
        except ShipoffError as error:
            if error.status == 404:
                return False
            raise
        return bool(team_id)  # "" is the platform itself to that service, and nobody here
