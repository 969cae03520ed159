"""The gRPC face of API tokens (proto/auth/v1/tokens.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from control.auth.standing import ACCOUNT_REQUIRED, parse
from control.auth.teams.service import missing
from control.auth.tokens.rules import TOKEN_EXPIRY_INVALID, Wanted
from control.auth.tokens.service import NewToken, Token, Tokens
from kernel.authority import PERMISSION_DENIED, Permission, Resource, current, require
from kernel.times import ms_of
from proto.auth.v1 import tokens_pb2 as pb
from proto.auth.v1.tokens_pb2_grpc import TokensServicer


class TokensServer(TokensServicer):
    """Answers the calls of tokens.proto."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def CreateAccountToken(self, request: pb.CreateAccountTokenRequest, context: Any) -> pb.NewToken:
        """By a session whose holder has lately signed in, or by a token that may."""
        account_id = _own(Permission.TOKEN_CREATE)
        if request.project_id:
            _require(Permission.PROJECT_READ, request)
        return _made(await self._tokens.create(account_id, _wanted(request)))

    async def ListAccountTokens(self, request: pb.ListAccountTokensRequest, context: Any) -> pb.ListTokensResponse:
        """Newest first."""
        return _list(await self._tokens.of_account(_own(Permission.TOKEN_READ)))

    async def RevokeAccountToken(self, request: pb.RevokeAccountTokenRequest, context: Any) -> pb.RevokeTokenResponse:
        """Any of one's own; a token that may not do that may still end itself."""
        who = current()
        itself = who.account_id and request.token_id == who.credential_id
        account_id = who.account_id if itself else _own(Permission.TOKEN_DELETE)
        await self._tokens.revoke(account_id, request.token_id)
        return pb.RevokeTokenResponse()

    async def CreateProjectToken(self, request: pb.CreateProjectTokenRequest, context: Any) -> pb.NewToken:
        """With at most the role of the one who asks."""
        _require(Permission.TOKEN_CREATE, request)
        return _made(await self._tokens.create_for_project(_wanted(request, parse(request.role))))

    async def ListProjectTokens(self, request: pb.ListProjectTokensRequest, context: Any) -> pb.ListTokensResponse:
        """Newest first."""
        return _list(await self._tokens.of_project(_require(Permission.TOKEN_READ, request)))

    async def RevokeProjectToken(self, request: pb.RevokeProjectTokenRequest, context: Any) -> pb.RevokeTokenResponse:
        """From the next request on."""
        await self._tokens.revoke_of_project(_require(Permission.TOKEN_DELETE, request), request.token_id)
        return pb.RevokeTokenResponse()


def _own(permission: Permission) -> str:
    """The account that asks; an account may do all with its own tokens, and a token of it what its scopes say.

    A token for one project makes others for it (rules.py), and sees and ends none: they are good for other projects.
    """
    who = current()
    if not who.account_id:
        raise ACCOUNT_REQUIRED("only an account has tokens of its own", hint="sign in, or use a token of an account")
    if who.scopes is not None and permission not in who.scopes:
        raise PERMISSION_DENIED(f"the token's scopes do not have {permission}")
    if who.only_project and permission is not Permission.TOKEN_CREATE:
        raise PERMISSION_DENIED("the token is for one project alone")
    return who.account_id


def _require(permission: Permission, request: Any) -> Resource:
    on = Resource(request.team_id, request.project_id)
    require(permission, on, hidden=missing(request.team_id))
    return on


def _wanted(request: Any, role: Any = None) -> Wanted:
    return Wanted(
        name=request.name,
        scopes=frozenset(request.scopes.names) if request.HasField("scopes") else None,
        expires_at=_moment(request.expires_at_ms),
        project_id=request.project_id,
        team_id=request.team_id,
        role=role,
    )


def _moment(ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
    except (ValueError, OverflowError, OSError) as error:
        raise TOKEN_EXPIRY_INVALID("expires_at is no time") from error


def _made(new: NewToken) -> pb.NewToken:
    return pb.NewToken(token=_message(new.token), secret=new.secret)


def _list(tokens: Sequence[Token]) -> pb.ListTokensResponse:
    return pb.ListTokensResponse(tokens=[_message(token) for token in tokens])


def _message(token: Token) -> pb.ApiToken:
    wanted = token.wanted
    return pb.ApiToken(
        id=token.id,
        name=wanted.name,
        prefix=token.prefix,
        scopes=None if wanted.scopes is None else pb.Scopes(names=sorted(wanted.scopes)),
        project_id=wanted.project_id,
        role=wanted.role or "",
        created_at_ms=ms_of(token.created_at),
        last_used_at_ms=ms_of(token.last_used_at),
        expires_at_ms=ms_of(wanted.expires_at),
    )
