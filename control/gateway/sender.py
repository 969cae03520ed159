"""Where a request came from, as auth is told it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from control.gateway.frame import address
from proto.auth.v1 import accounts_pb2

AGENT_LENGTH: Final = 1000


def client(request: web.Request) -> accounts_pb2.Client:
    """The client's address, and what it calls itself; bytes of a header that are no text become question marks."""
    agent = request.headers.get("User-Agent", "")[:AGENT_LENGTH].encode(errors="replace").decode()
    return accounts_pb2.Client(address=address.of(request), user_agent=agent)
