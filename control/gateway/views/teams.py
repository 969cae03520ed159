"""Teams, which own projects and have members."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import teams as models
from proto.auth.v1 import members_pb2, teams_pb2


async def index(call: Call) -> models.TeamList:
    """GET /v1/teams: the teams that you belong to, your personal one among them."""
    answer = await call.clients.teams.ListTeams(teams_pb2.ListTeamsRequest())
    return {"teams": [models.team(one) for one in answer.teams]}


async def create(call: Call, body: models.CreateTeam) -> models.TeamShape:
    """POST /v1/teams: a new team that you own."""
    wanted = teams_pb2.CreateTeamRequest(name=body.name, slug=body.slug)
    return models.team(await call.clients.teams.CreateTeam(wanted))


async def show(call: Call) -> models.TeamShape:
    """GET /v1/teams/{team}: a team."""
    return models.team(await call.clients.teams.GetTeam(teams_pb2.GetTeamRequest(team=call.team)))


async def update(call: Call, body: models.UpdateTeam) -> models.TeamShape:
    """PATCH /v1/teams/{team}: changes what is named."""
    wanted = teams_pb2.UpdateTeamRequest(team_id=call.team, name=body.name, slug=body.slug)
    return models.team(await call.clients.teams.UpdateTeam(wanted))


async def delete(call: Call) -> None:
    """DELETE /v1/teams/{team}: deletes a team with its members, invitations and tokens.

    Refused while it owns projects; a personal team can't be deleted.
    """
    await call.clients.teams.DeleteTeam(teams_pb2.DeleteTeamRequest(team_id=call.team))


async def transfer(call: Call, body: models.TransferTeam) -> models.TeamShape:
    """POST /v1/teams/{team}/transfer: makes a member the owner, and you an admin."""
    wanted = teams_pb2.TransferTeamRequest(team_id=call.team, account_id=body.account)
    await call.clients.teams.TransferTeam(wanted)
    return await show(call)


async def leave(call: Call) -> None:
    """POST /v1/teams/{team}/leave: ends your membership, with your roles on the team's projects.

    The last owner can't leave.
    """
    you = members_pb2.RemoveMemberRequest(team_id=call.team, account_id=call.who.account_id)
    await call.clients.members.RemoveMember(you)
