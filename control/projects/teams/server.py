"""The gRPC face of teams as owners (proto/projects/v1/teams.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.projects.teams.service import close
from kernel.authority import require_platform
from kernel.database import Database
from proto.projects.v1 import teams_pb2 as pb
from proto.projects.v1.teams_pb2_grpc import OwningTeamsServicer


class OwningTeamsServer(OwningTeamsServicer):
    """Answers the calls of teams.proto."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def CloseTeam(self, request: pb.CloseTeamRequest, context: Any) -> pb.CloseTeamResponse:
        """For auth, which has asked the matrix whether the team may be deleted."""
        require_platform()
        async with self._database.transaction() as tx:
            await close(tx, request.team_id)
        return pb.CloseTeamResponse()
