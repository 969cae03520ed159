"""Turns what somebody shows into who they are: an API token or an access token becomes a principal and its passport."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from control.auth.accounts.service import Account
from control.auth.keys.service import Keys
from control.auth.sessions import access
from control.auth.tokens import secret as secrets
from control.auth.tokens.service import TOKEN_INVALID
from kernel.authority import Kind, Principal, passport
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.errors import define

SESSION_ENDED = define("SESSION_ENDED", source="client", status=401, hint="sign in again: shipoff login")
SQL: Final = load_queries("control.auth")


@dataclass(frozen=True, slots=True)
class Identified:
    """Who it is.

    Attributes:
        principal: with all roles.
        account: None for a token that belongs to a project alone.
        passport: the principal, signed for the other services.
    """

    principal: Principal
    account: Account | None
    passport: str


class Authenticator:
    """Answers who shows a credential, with one query; a token's first use in a minute is written down with a second."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database, self._keys = database, keys

    async def identify(self, credential: str, address: str = "") -> Identified:
        """Who shows this?

        Args:
            credential: `shp_…` or an access token.
            address: the client's.

        Raises:
            ShipoffError: TOKEN_INVALID, SIGNED_TOKEN_INVALID, SIGNED_TOKEN_EXPIRED, SESSION_ENDED.
        """
        if credential.startswith(secrets.PREFIX):
            who, account = await self._by_token(credential, address)
        else:
            who, account = await self._by_session(credential, address)
        signed = await self._keys.sign(passport.claims_of(who, time.time()), typ=passport.TYPE)
        return Identified(who, account, signed)

    async def _by_token(self, credential: str, address: str) -> tuple[Principal, Account | None]:
        row = None
        if secrets.is_well_formed(credential):
            row = await self._database.fetchrow(SQL["by_token"], secrets.digest(credential))
        if row is None:
            raise TOKEN_INVALID("the API token is not valid")
        if row["use_is_news"]:
            await self._database.execute(SQL["used"], row["token_id"])
        return _principal(Kind.TOKEN, row, row["token_id"], address), _account(row)

    async def _by_session(self, credential: str, address: str) -> tuple[Principal, Account | None]:
        claims = await self._keys.verify(credential, typ=access.TYPE, audience=access.AUDIENCE)
        session_id = str(claims.get("sid", ""))
        row = await self._database.fetchrow(SQL["by_session"], claims["sub"], session_id)
        if row is None:
            raise SESSION_ENDED("the session has ended")
        return _principal(Kind.SESSION, row, session_id, address), _account(row)


def _principal(kind: Kind, row: Row, credential_id: str, address: str) -> Principal:
    more: dict[str, Any] = {}
    if kind is Kind.TOKEN:
        scopes = row["scopes"]
        more = {
            "scopes": None if scopes is None else frozenset(scopes),
            "only_project": row["only_project"] or "",
        }
    return Principal(
        kind=kind,
        account_id=row["id"] or "",
        name=row["email"] or row["token_name"],
        credential_id=credential_id,
        teams=row["teams"],
        projects=row["projects"],
        address=address,
        **more,
    )


def _account(row: Row) -> Account | None:
    return Account(id=row["id"], email=row["email"], name=row["name"]) if row["id"] else None
