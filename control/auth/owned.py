"""What auth asks of the service projects, which knows what a team owns."""

from __future__ import annotations

from typing import Final

from kernel import ids
from kernel.database import load_queries
from kernel.database.pool import Transaction
from kernel.rpc import RpcClient
from proto.projects.v1.projects_pb2 import GetProjectRequest, ListProjectsRequest
from proto.projects.v1.projects_pb2_grpc import ProjectsStub
from proto.projects.v1.teams_pb2 import CloseTeamRequest
from proto.projects.v1.teams_pb2_grpc import OwningTeamsStub

SQL: Final = load_queries("control.auth")


class Owned:
    """Asks as the platform itself.

    Args:
        client: of the service projects.
    """

    def __init__(self, client: RpcClient) -> None:
        self._projects, self._teams = client.stub(ProjectsStub), client.stub(OwningTeamsStub)

    async def check(self, team_id: str, project_id: str) -> None:
        """Makes sure that a project is a team's: whoever names both could name two that don't belong together.

        Raises:
            ShipoffError: PROJECT_NOT_FOUND.
        """
        wanted = project_id if ids.is_id(project_id, "prj") else "prj_"  # which is no project: names are not for here
        await self._projects.GetProject(GetProjectRequest(project=wanted, team_id=team_id))

    async def hold(self, tx: Transaction, team_id: str, project_id: str) -> None:
        """Makes sure that a project is a team's before something is given on it.

        If it goes to another team right after the answer, what is given is taken away with the rest (roles/): that
        waits until `tx` ends. Asked before `tx` the answer could be old, and what is given stay unseen by the new team.

        Raises:
            ShipoffError: PROJECT_NOT_FOUND.
        """
        await tx.execute(SQL["hold_project"], project_id)
        await self.check(team_id, project_id)

    async def names(self, team_id: str) -> list[str]:
        """Of the projects that a team owns."""
        answer = await self._projects.ListProjects(ListProjectsRequest(team_id=team_id))
        return [project.name for project in answer.projects]

    async def close(self, team_id: str) -> None:
        """Makes sure that a team owns no project and never will again.

        Raises:
            ShipoffError: TEAM_HAS_PROJECTS.
        """
        await self._teams.CloseTeam(CloseTeamRequest(team_id=team_id))
