"""API tokens of your account."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import tokens as models
from proto.auth.v1 import tokens_pb2
from proto.projects.v1 import projects_pb2


async def index(call: Call) -> models.TokenList:
    """GET /v1/me/tokens: all of them, without their secrets."""
    return models.tokens(await call.clients.tokens.ListAccountTokens(tokens_pb2.ListAccountTokensRequest()))


async def create(call: Call, body: models.CreateToken) -> models.NewTokenShape:
    """POST /v1/me/tokens: a new token, whose secret is shown this once.

    A token that makes another one can give it no more than it may do itself, and no longer life.
    """
    wanted = tokens_pb2.CreateAccountTokenRequest(
        name=body.name, scopes=models.scopes(body.scopes), expires_at_ms=models.end(body.expires_in_days)
    )
    if body.project:
        found = await call.clients.projects.GetProject(projects_pb2.GetProjectRequest(project=body.project))
        wanted.project_id, wanted.team_id = found.id, found.team_id
    return models.made(await call.clients.tokens.CreateAccountToken(wanted))


async def delete(call: Call) -> None:
    """DELETE /v1/me/tokens/{token}: revokes a token, from the next request on."""
    gone = tokens_pb2.RevokeAccountTokenRequest(token_id=call.named("token"))
    await call.clients.tokens.RevokeAccountToken(gone)
