"""Whose a project is, as kernel/authority's Owners wants it."""

from __future__ import annotations

from proto.projects.v1.projects_pb2 import GetProjectRequest
from proto.projects.v1.projects_pb2_grpc import ProjectsStub


async def team_of(projects: ProjectsStub, project_id: str) -> str:
    """The team that owns a project.

    Args:
        projects: the stub of the projects service, whose calls are the platform's.
        project_id: prj_….

    Raises:
        ShipoffError: PROJECT_NOT_FOUND, or the service can't be asked.
    """
    return str((await projects.GetProject(GetProjectRequest(project=project_id))).team_id)
