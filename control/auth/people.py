"""Puts together what people need: registering, signing in, second factor, mails."""

from __future__ import annotations

import logging
from pathlib import Path

from redis.asyncio import Redis

from control.auth.accounts.profile import Owned, Profile
from control.auth.accounts.registration import Registration
from control.auth.accounts.server import AccountsServer
from control.auth.background import Background
from control.auth.keys.service import Keys
from control.auth.limiting.rules import Rules
from control.auth.limiting.service import Limiter
from control.auth.mail.sender import Sender
from control.auth.mail.service import Mails
from control.auth.mail.transport import FolderTransport, SmtpTransport, Transport
from control.auth.passwords.hasher import Hasher
from control.auth.passwords.service import Passwords
from control.auth.sessions.login import Login
from control.auth.sessions.server import SessionsServer
from control.auth.sessions.service import Sessions
from control.auth.settings import AuthSettings
from control.auth.sweeper import Sweeper
from control.auth.two_factor.server import TwoFactorServer
from control.auth.two_factor.service import TwoFactor
from kernel.database import Database
from kernel.rpc import RpcServer
from kernel.sealing import Sealer
from proto.auth.v1.accounts_pb2_grpc import add_AccountsServicer_to_server
from proto.auth.v1.sessions_pb2_grpc import add_SessionsServicer_to_server
from proto.auth.v1.two_factor_pb2_grpc import add_TwoFactorServicer_to_server

log = logging.getLogger(__name__)


class People:
    """The parts, made and connected; other domains (OAuth, invitations) use them too.

    Args:
        settings: of auth.
        database: of auth.
        redis: counts attempts for all auth processes; None counts in memory.
        keys: sign access tokens.
        owned: what teams own.
    """

    def __init__(
        self, settings: AuthSettings, database: Database, redis: Redis | None, keys: Keys, owned: Owned
    ) -> None:
        sealer = Sealer(settings.seal_key)
        rules = Rules(settings.account_attempts, settings.address_attempts, settings.lockout_s, settings.address_mails)
        self.limiter = limiter = Limiter(redis)
        self.open_to_all = settings.registration == "open"
        self.hasher = Hasher()
        self.background = background = Background()
        self.mails = mails = Mails(sealer, settings.public_url)
        self.sessions = Sessions(database, keys, sealer, mails)
        self.two_factor = TwoFactor(database, sealer, mails, limiter, rules)
        self.passwords = Passwords(database, self.hasher, limiter, rules, mails, background)
        self.registration = Registration(
            database, self.passwords, limiter, rules, mails, background, open_to_all=self.open_to_all
        )
        self.profile = Profile(database, limiter, rules, mails, owned)
        self.login = Login(database, self.hasher, limiter, rules, mails, background, self.sessions, self.two_factor)
        self.accounts_server = AccountsServer(self.registration, self.passwords, self.profile)
        self.sessions_server = SessionsServer(self.login, self.sessions)
        self.two_factor_server = TwoFactorServer(self.two_factor, self.passwords)
        self._sweeper = Sweeper(database)
        transport = transport_of(settings.smtp_url, settings.mail_dir)
        self._sender = Sender(database, sealer, transport, settings.mail_from) if transport is not None else None

    def serve(self, server: RpcServer) -> None:
        """Adds the gRPC services."""
        server.add(add_AccountsServicer_to_server, self.accounts_server)
        server.add(add_SessionsServicer_to_server, self.sessions_server)
        server.add(add_TwoFactorServicer_to_server, self.two_factor_server)

    def start(self) -> None:
        """Begins to send mails and to sweep."""
        self._sweeper.start()
        if self._sender is not None:
            self._sender.start()
        else:
            log.warning("mails wait for a way out: set SHIPOFF_AUTH_SMTP_URL or SHIPOFF_AUTH_MAIL_DIR")

    async def stop(self) -> None:
        """Ends what was begun; mails that have not gone stay in the database."""
        await self.background.stop()
        if self._sender is not None:
            await self._sender.stop()
        await self._sweeper.stop()
        self.hasher.close()


def transport_of(smtp_url: str, mail_dir: Path | None) -> Transport | None:
    """Where mails go by the settings; SMTP comes before a folder.

    Raises:
        ShipoffError: SETTINGS_INVALID.
    """
    if smtp_url:
        return SmtpTransport(smtp_url)
    return None if mail_dir is None else FolderTransport(mail_dir)
