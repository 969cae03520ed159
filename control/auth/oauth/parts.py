"""Puts together what sign-in by providers and codes needs."""

from __future__ import annotations

from control.auth.oauth.devices import Devices
from control.auth.oauth.flow import Flow
from control.auth.oauth.identities import Identities
from control.auth.oauth.outbound import Outbound
from control.auth.oauth.providers import providers
from control.auth.oauth.server import OAuthServer
from control.auth.oauth.service import SignIn
from control.auth.oauth.settings import OAuthSettings
from control.auth.people import People
from kernel.database import Database
from kernel.rpc import RpcServer
from proto.auth.v1.oauth_pb2_grpc import add_OAuthServicer_to_server


class OAuth:
    """The parts, made and connected.

    Args:
        settings: which providers there are.
        database: of auth.
        people: open sessions, ask for second factors, send mails.
    """

    def __init__(self, settings: OAuthSettings, database: Database, people: People) -> None:
        self._outbound = Outbound()
        found = providers(settings, self._outbound)
        self.flow = Flow(database, settings, found)
        self.identities = Identities(database, people.mails, open_to_all=people.open_to_all)
        self.sign_in = SignIn(database, self.identities, people.login, people.sessions)
        self.devices = Devices(database, people.limiter, people.sessions)
        self.server = OAuthServer(found, self.flow, self.sign_in, self.identities, self.devices)

    def serve(self, server: RpcServer) -> None:
        """Adds the gRPC service."""
        server.add(add_OAuthServicer_to_server, self.server)

    async def stop(self) -> None:
        """Closes connections to providers."""
        await self._outbound.close()
