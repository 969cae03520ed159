"""The gRPC face of sessions (proto/auth/v1/sessions.proto)."""

# ruff: noqa: N802 - the methods have the names that the .proto gives them
from __future__ import annotations

from typing import Any

from control.auth.accounts.server import client_of
from control.auth.caller import signed_in
from control.auth.sessions.login import Challenge, Login
from control.auth.sessions.service import Opened, Session, Sessions
from kernel.times import ms_of
from proto.auth.v1 import sessions_pb2 as pb
from proto.auth.v1.sessions_pb2_grpc import SessionsServicer


class SessionsServer(SessionsServicer):
    """Answers the calls of sessions.proto."""

    def __init__(self, login: Login, sessions: Sessions) -> None:
        self._login, self._sessions = login, sessions

    async def Login(self, request: pb.LoginRequest, context: Any) -> pb.LoginResponse:
        """For anybody."""
        return outcome(await self._login.with_password(request.email, request.password, client_of(request.client)))

    async def LoginTwoFactor(self, request: pb.LoginTwoFactorRequest, context: Any) -> pb.SessionTokens:
        """For who has a challenge."""
        return _tokens(await self._login.with_code(request.challenge, request.code, client_of(request.client)))

    async def Refresh(self, request: pb.RefreshRequest, context: Any) -> pb.SessionTokens:
        """For who has a refresh token."""
        return _tokens(await self._sessions.refresh(request.refresh_token, client_of(request.client)))

    async def Logout(self, request: pb.LogoutRequest, context: Any) -> pb.LogoutResponse:
        """Ends the caller's session."""
        who = signed_in()
        await self._sessions.end(who.account_id, who.credential_id, client_of(request.client))
        return pb.LogoutResponse()

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Any) -> pb.ListSessionsResponse:
        """The caller's."""
        who = signed_in()
        found = await self._sessions.list(who.account_id)
        return pb.ListSessionsResponse(sessions=[_message(one, who.credential_id) for one in found])

    async def EndSession(self, request: pb.EndSessionRequest, context: Any) -> pb.EndSessionResponse:
        """One of the caller's."""
        await self._sessions.end(signed_in().account_id, request.session_id, client_of(request.client))
        return pb.EndSessionResponse()

    async def EndOtherSessions(self, request: pb.EndOtherSessionsRequest, context: Any) -> pb.EndOtherSessionsResponse:
        """All of the caller's but the one that calls."""
        who = signed_in()
        ended = await self._sessions.end_others(who.account_id, who.credential_id, client_of(request.client))
        return pb.EndOtherSessionsResponse(ended=ended)


def outcome(of: Opened | Challenge) -> pb.LoginResponse:
    """What somebody gets who has proven who they are."""
    if isinstance(of, Challenge):
        return pb.LoginResponse(challenge=pb.Challenge(token=of.token, expires_in_s=of.expires_in_s))
    return pb.LoginResponse(tokens=_tokens(of))


def _tokens(opened: Opened) -> pb.SessionTokens:
    return pb.SessionTokens(
        session_id=opened.session_id,
        account_id=opened.account_id,
        access_token=opened.access_token,
        refresh_token=opened.refresh_token,
        expires_in_s=opened.expires_in_s,
    )


def _message(session: Session, current_id: str) -> pb.Session:
    return pb.Session(
        id=session.id,
        user_agent=session.user_agent,
        address=session.address,
        amr=session.amr,
        current=session.id == current_id,
        created_at_ms=ms_of(session.created_at),
        last_used_at_ms=ms_of(session.last_used_at),
    )
