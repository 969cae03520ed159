"""What a handler is given: the request, who sent it, what its path names, and the gateway's parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from control.gateway.admission import Visitor
from control.gateway.clients import Clients
from control.gateway.frame.idempotency import Replays
from control.gateway.frame.limits import Limiter
from control.gateway.git.door import GitDoor
from control.gateway.live.view import LiveView
from control.gateway.settings import GatewaySettings
from control.gateway.webhooks.reception import Reception
from kernel.authority import Principal
from proto.auth.v1 import auth_pb2
from proto.projects.v1 import projects_pb2


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that live as long as the process."""

    settings: GatewaySettings
    clients: Clients
    live: LiveView
    git: GitDoor
    reception: Reception
    limiter: Limiter
    replays: Replays


@dataclass(slots=True)
class Call:
    """One request.

    Attributes:
        request: as aiohttp read it.
        parts: of the gateway.
        visitor: who sent it; nobody on a public route.
        found: the project that the path names, which the sender may at least read; empty on other routes.
        team: the team that the path or the body names, else the sender's own; "" on routes that need none.
        headers: to be added to the answer.
        still: raises when the sender may not any more, for what takes longer than a request; None where all may.
    """

    request: web.Request
    parts: Parts
    visitor: Visitor
    found: projects_pb2.Project = field(default_factory=projects_pb2.Project)
    team: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    still: Callable[[], Awaitable[None]] | None = None

    @property
    def who(self) -> Principal:
        """Who sent it, as the matrix knows them."""
        return self.visitor.who

    @property
    def account(self) -> auth_pb2.Account:
        """Who sent it, as auth knows them."""
        return self.visitor.account

    @property
    def clients(self) -> Clients:
        """The other services."""
        return self.parts.clients

    def named(self, part: str) -> str:
        """What stands in the path in place of `{part}`."""
        return self.request.match_info[part]
