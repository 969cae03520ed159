"""Which other projects the owner of a project may read."""

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

    async def may_read(self, account_id: str, project: str) -> bool:
        """Whether an account may see a project, by its name.

        Raises:
            ShipoffError: the service can't be asked.
        """
        try:
            await self._stub.GetProject(GetProjectRequest(project=project, account_id=account_id))
        except ShipoffError as error:
            if error.status == 404:
                return False
            raise
        return bool(account_id)  # "" is the platform itself to that service, and nobody here
