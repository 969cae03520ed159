"""The gRPC face of teams (proto/auth/v1/teams.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.auth.members.service import Members
from control.auth.standing import whole_account
from control.auth.teams.service import Team, Teams, missing
from kernel.authority import Permission, Resource, allowed, current, require
from kernel.times import ms_of
from proto.auth.v1 import teams_pb2 as pb
from proto.auth.v1.teams_pb2_grpc import TeamsServicer


class TeamsServer(TeamsServicer):
    """Answers the calls of teams.proto."""

    def __init__(self, teams: Teams, members: Members) -> None:
        self._teams, self._members = teams, members

    async def CreateTeam(self, request: pb.CreateTeamRequest, context: Any) -> pb.Team:
        """Any account may."""
        return _message(await self._teams.create(whole_account(), request.name, request.slug))

    async def GetTeam(self, request: pb.GetTeamRequest, context: Any) -> pb.Team:
        """By id or slug; which of them exist is for members alone."""
        team = await self._teams.find(request.team, current().account_id)
        _require(Permission.TEAM_READ, team.id, request.team)
        return _message(team)

    async def ListTeams(self, request: pb.ListTeamsRequest, context: Any) -> pb.ListTeamsResponse:
        """Those that a token, if it is one, may read."""
        found = await self._teams.mine(current().account_id)
        seen = [team for team in found if allowed(Permission.TEAM_READ, Resource(team.id))]
        return pb.ListTeamsResponse(teams=[_message(team) for team in seen])

    async def UpdateTeam(self, request: pb.UpdateTeamRequest, context: Any) -> pb.Team:
        """What is given."""
        _require(Permission.TEAM_UPDATE, request.team_id)
        name = request.name if request.HasField("name") else None
        slug = request.slug if request.HasField("slug") else None
        await self._teams.update(request.team_id, name, slug)
        return _message(await self._teams.find(request.team_id, current().account_id))

    async def DeleteTeam(self, request: pb.DeleteTeamRequest, context: Any) -> pb.DeleteTeamResponse:
        """When it owns nothing."""
        _require(Permission.TEAM_DELETE, request.team_id)
        await self._teams.delete(request.team_id)
        return pb.DeleteTeamResponse()

    async def TransferTeam(self, request: pb.TransferTeamRequest, context: Any) -> pb.TransferTeamResponse:
        """From the one who asks to another member."""
        _require(Permission.TEAM_TRANSFER_OWNERSHIP, request.team_id)
        await self._members.transfer(request.team_id, current().account_id, request.account_id)
        return pb.TransferTeamResponse()


def _require(permission: Permission, team_id: str, named: str = "") -> None:
    require(permission, Resource(team_id), hidden=missing(named or team_id))


def _message(team: Team) -> pb.Team:
    return pb.Team(
        id=team.id,
        name=team.name,
        slug=team.slug,
        personal=bool(team.personal_of),
        created_at_ms=ms_of(team.created_at),
        role=team.role,
    )
