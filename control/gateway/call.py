"""What a handler is given: the request, who sent it, and the gateway's parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from control.gateway.clients import Clients
from control.gateway.git.door import GitDoor
from control.gateway.live.view import LiveView
from control.gateway.settings import GatewaySettings
from proto.auth.v1 import auth_pb2
from proto.projects.v1 import projects_pb2


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that live as long as the process."""

    settings: GatewaySettings
    clients: Clients
    live: LiveView
    git: GitDoor


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        request: as aiohttp read it.
        parts: of the gateway.
        account: whose token was shown; empty for a route that needs none.
    """

    request: web.Request
    parts: Parts
    account: auth_pb2.Account

    async def project(self) -> projects_pb2.Project:
        """The project that the path names, by id or name.

        Raises:
            ShipoffError: PROJECT_NOT_FOUND, also when whoever asks may not see it.
        """
        wanted = projects_pb2.GetProjectRequest(project=self.request.match_info["project"])
        return await self.parts.clients.projects.GetProject(wanted)


Handler = Callable[[Call], Awaitable[web.StreamResponse]]
