"""One's own sessions."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.base import time_of
from proto.auth.v1 import sessions_pb2


class SessionShape(TypedDict):
    """A session.

    Attributes:
        id: ses_….
        current: whether it is the one that asks.
        address: where it was last used from.
        user_agent: what its client calls itself.
        methods: how its holder proved who they are (RFC 8176): `pwd`, `otp`, `mfa`, `recovery`.
        created_at: RFC 3339.
        last_used_at: when its tokens were last refreshed, RFC 3339.
    """

    id: str
    current: bool
    address: str
    user_agent: str
    methods: list[str]
    created_at: str
    last_used_at: str


class SessionList(TypedDict):
    """The open sessions of an account, at most a hundred.

    Attributes:
        sessions: the last used first.
    """

    sessions: list[SessionShape]


class EndedShape(TypedDict):
    """What was ended.

    Attributes:
        ended: how many sessions.
    """

    ended: int


def session(message: sessions_pb2.Session) -> SessionShape:
    """A session as its holder sees it."""
    return {
        "id": message.id,
        "current": message.current,
        "address": message.address,
        "user_agent": message.user_agent,
        "methods": list(message.amr),
        "created_at": time_of(message.created_at_ms),
        "last_used_at": time_of(message.last_used_at_ms),
    }
