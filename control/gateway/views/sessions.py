"""One's own sessions: where one is signed in."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import sessions as models
from control.gateway.sender import client
from proto.auth.v1 import sessions_pb2


async def index(call: Call) -> models.SessionList:
    """GET /v1/me/sessions: lists one's open sessions."""
    found = await call.clients.sessions.ListSessions(sessions_pb2.ListSessionsRequest())
    return {"sessions": [models.session(one) for one in found.sessions]}


async def delete_others(call: Call) -> models.EndedShape:
    """DELETE /v1/me/sessions: ends all of one's sessions but the one that asks."""
    request = sessions_pb2.EndOtherSessionsRequest(client=client(call.request))
    return {"ended": (await call.clients.sessions.EndOtherSessions(request)).ended}


async def delete(call: Call) -> None:
    """DELETE /v1/me/sessions/{session}: ends one of one's sessions."""
    request = sessions_pb2.EndSessionRequest(session_id=call.named("session"), client=client(call.request))
    await call.clients.sessions.EndSession(request)
