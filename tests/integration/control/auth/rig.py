"""People of a platform whose database, Redis and mails are real, called without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from control.auth.authenticate import Authenticator
from control.auth.keys.service import Keys
from control.auth.mail.sender import Sender
from control.auth.people import People
from control.auth.settings import AuthSettings
from kernel.authority import Principal, acting_as
from kernel.database import Database
from kernel.sealing import Sealer
from proto.auth.v1 import accounts_pb2, sessions_pb2

NO_CONTEXT: Any = None
ADDRESS = "192.0.2.7"
CLIENT = accounts_pb2.Client(address=ADDRESS, user_agent="a test")
EMAIL = "ada@example.org"
PASSWORD = "correct horse battery staple"
OTHER = "seven violet otters juggling"


class Letters:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.all: list[EmailMessage] = []

    async def deliver(self, message: EmailMessage) -> None:
        self.all.append(message)


class Rig:
    """One auth process's worth of people."""

    def __init__(self, settings: AuthSettings, database: Database, people: People, keys: Keys) -> None:
        self.database, self.people, self.keys, self.settings = database, people, keys, settings
        self.accounts, self.login, self.factor = (
            people.accounts_server,
            people.sessions_server,
            people.two_factor_server,
        )
        self.letters = Letters()
        self._sender = Sender(database, Sealer(settings.seal_key), self.letters, settings.mail_from)
        self.authenticator = Authenticator(database, keys)

    async def mails(self) -> list[tuple[str, str]]:
        """Sends what waits, and gives recipient and subject of all that were sent since the last time."""
        await self.people.background.done()
        await self._sender.send_due()
        sent, self.letters.all = self.letters.all, []
        self.last = sent
        return [(str(one["To"]), str(one["Subject"])) for one in sent]

    async def token(self) -> str:
        """The token of the link in the last mail."""
        await self.mails()
        return link_token(self.last[-1])

    async def register(self, email: str = EMAIL, password: str = PASSWORD, name: str = "Ada") -> None:
        request = accounts_pb2.RegisterRequest(name=name, email=email, password=password, client=CLIENT)
        await self.accounts.Register(request, NO_CONTEXT)

    async def verify(self, token: str) -> str:
        answer = await self.accounts.Verify(accounts_pb2.VerifyRequest(token=token, client=CLIENT), NO_CONTEXT)
        return answer.email

    async def join(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        """Registers and verifies."""
        await self.register(email, password)
        await self.verify(await self.token())

    async def enter(
        self, email: str = EMAIL, password: str = PASSWORD, address: str = ADDRESS
    ) -> sessions_pb2.LoginResponse:
        client = accounts_pb2.Client(address=address, user_agent="a test")
        request = sessions_pb2.LoginRequest(email=email, password=password, client=client)
        return await self.login.Login(request, NO_CONTEXT)

    async def refresh(self, token: str) -> sessions_pb2.SessionTokens:
        return await self.login.Refresh(sessions_pb2.RefreshRequest(refresh_token=token, client=CLIENT), NO_CONTEXT)

    async def principal(self, access_token: str) -> Principal:
        """Who the platform takes the holder of a token for."""
        return (await self.authenticator.identify(access_token, ADDRESS)).principal

    async def session(self, email: str = EMAIL, password: str = PASSWORD) -> tuple[Principal, Any]:
        """Signs in; who that is, and the tokens."""
        tokens = (await self.enter(email, password)).tokens
        return await self.principal(tokens.access_token), tokens

    async def hurry(self, seconds: float) -> None:
        """Makes all that has a time older, instead of waiting."""
        for table, columns in {
            "one_time_tokens": ("expires_at",),
            "refresh_tokens": ("expires_at", "used_at"),
            "sessions": ("last_used_at",),
        }.items():
            for column in columns:
                await self.database.execute(
                    f"update {table} set {column} = {column} - make_interval(secs => $1)", seconds
                )


def link_token(message: EmailMessage) -> str:
    """The token of the link in a mail."""
    body = cast("EmailMessage", message.get_body(("plain",))).get_content().replace("\r\n", "\n")
    found = re.search(r"^https?://\S+token=\S+$", body, re.MULTILINE)
    assert found, body
    return parse_qs(urlsplit(found[0]).query)["token"][0]


@contextmanager
def as_(who: Principal) -> Iterator[None]:
    with acting_as(who):
        yield
