"""API tokens of a project: they belong to no account, and stay when who made them goes."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import tokens as models
from proto.auth.v1 import tokens_pb2


async def index(call: Call) -> models.TokenList:
    """GET /v1/projects/{project}/tokens: all of them, without their secrets."""
    wanted = tokens_pb2.ListProjectTokensRequest(team_id=call.found.team_id, project_id=call.found.id)
    return models.tokens(await call.clients.tokens.ListProjectTokens(wanted))


async def create(call: Call, body: models.CreateProjectToken) -> models.NewTokenShape:
    """POST /v1/projects/{project}/tokens: a new token, whose secret is shown this once."""
    wanted = tokens_pb2.CreateProjectTokenRequest(
        team_id=call.found.team_id,
        project_id=call.found.id,
        name=body.name,
        role=body.role,
        scopes=models.scopes(body.scopes),
        expires_at_ms=models.end(body.expires_in_days),
    )
    return models.made(await call.clients.tokens.CreateProjectToken(wanted))


async def delete(call: Call) -> None:
    """DELETE /v1/projects/{project}/tokens/{token}: revokes a token, from the next request on."""
    gone = tokens_pb2.RevokeProjectTokenRequest(
        team_id=call.found.team_id, project_id=call.found.id, token_id=call.named("token")
    )
    await call.clients.tokens.RevokeProjectToken(gone)
