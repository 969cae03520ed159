"""Opens, refreshes, lists and ends sessions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.auth.caller import Client
from control.auth.keys.service import Keys
from control.auth.mail.service import Mails, Template
from control.auth.one_time import secret as secrets
from control.auth.sessions import access
from control.auth.trail import note
from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define
from kernel.sealing import Sealer

log = logging.getLogger(__name__)

SESSION_NOT_FOUND = define("SESSION_NOT_FOUND", source="client", status=404, hint="GET /v1/me/sessions lists yours")
REFRESH_TOKEN_INVALID = define("REFRESH_TOKEN_INVALID", source="client", status=401, hint="sign in again")
REFRESH_TOKEN_REUSED = define(
    "REFRESH_TOKEN_REUSED", source="client", status=401, hint="it may have been copied: sign in again"
)

SQL: Final = load_queries("control.auth.sessions")
PREFIX: Final = "shr_"
REFRESH_S: Final = 30 * 86_400.0  # a session that is unused for so long is over
GRACE_S: Final = 10.0  # in which the last used token gives its successor again
MOST: Final = 100  # sessions of an account


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """What somebody holds who has signed in; it has no repr, so that no log can show it.

    Attributes:
        access_token: for the API, good for `expires_in_s`.
        refresh_token: for the next pair, once.
    """

    session_id: str
    account_id: str
    access_token: str
    refresh_token: str
    expires_in_s: int = access.LIFE_S


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner sees it in a list."""

    id: str
    user_agent: str
    address: str
    amr: Sequence[str]
    created_at: datetime
    last_used_at: datetime


class Sessions:
    """Those of all accounts.

    Args:
        database: of auth.
        keys: sign access tokens.
        sealer: for the successors of refresh tokens, for as long as their grace lasts.
        mails: tell an owner of a copied token.
        grace_s: see the README.
    """

    def __init__(
        self, database: Database, keys: Keys, sealer: Sealer, mails: Mails, *, grace_s: float = GRACE_S
    ) -> None:
        self._database, self._keys, self._sealer, self._mails = database, keys, sealer, mails
        self._grace_s = grace_s

    async def open(
        self, tx: Transaction, account_id: str, client: Client, amr: Sequence[str], granted_by: str = ""
    ) -> Opened:
        """Opens a session in a transaction of the caller's, who has made sure who it is.

        Args:
            granted_by: the session whose holder said yes to it; "" when somebody has just proven who they are.

        Raises:
            ShipoffError: SESSION_NOT_FOUND when nothing is known any more of the session that granted it.
        """
        session_id, secret = ids.new("ses"), secrets.make(PREFIX)
        given = session_id, account_id, client.user_agent, client.address, list(amr)
        if granted_by:
            proven_s = await tx.fetchval(SQL["open_granted"], *given, granted_by)
        else:
            proven_s = await tx.fetchval(SQL["open"], *given)
        if proven_s is None:
            raise SESSION_NOT_FOUND("the session that granted this one is unknown")
        await tx.execute(SQL["crowd_out"], account_id, MOST)
        await tx.execute(SQL["add_token"], secrets.digest(secret), session_id, REFRESH_S)
        await note(tx, "session.create", account_id, client, target=session_id, after={"amr": list(amr)})
        token = await access.make(self._keys, account_id, session_id, amr, proven_s)
        return Opened(session_id, account_id, token, secret)

    async def refresh(self, secret: str, client: Client) -> Opened:
        """The next pair of tokens for a refresh token, which is used up.

        Raises:
            ShipoffError: REFRESH_TOKEN_INVALID; REFRESH_TOKEN_REUSED, and then the session has been ended.
        """
        if not secrets.is_well_formed(secret, PREFIX):
            raise REFRESH_TOKEN_INVALID("the refresh token is not valid")
        digest = secrets.digest(secret)
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(SQL["find_token"], digest, self._grace_s)
            if row is None:
                raise REFRESH_TOKEN_INVALID("the refresh token is not valid")
            successor = await self._successor(tx, digest, row)
            if successor:
                await tx.execute(SQL["touch"], row["session_id"], client.user_agent, client.address)
            else:
                await self._copied(tx, row, client)
        if not successor:
            raise REFRESH_TOKEN_REUSED("the refresh token was used before; its session is ended")
        token = await access.make(self._keys, row["account_id"], row["session_id"], row["amr"], row["proven_s"])
        return Opened(row["session_id"], row["account_id"], token, successor)

    async def list(self, account_id: str) -> list[Session]:
        """The open sessions of an account, the last used first."""
        return [Session(**row) for row in await self._database.fetch(SQL["list"], account_id, REFRESH_S)]

    async def end(self, account_id: str, session_id: str, client: Client) -> None:
        """Ends a session of an account.

        Raises:
            ShipoffError: SESSION_NOT_FOUND, also when it is another account's.
        """
        async with self._database.transaction() as tx:
            if await tx.fetchval(SQL["end"], session_id, account_id, "by its owner") is None:
                raise SESSION_NOT_FOUND("there is no such open session of yours")
            await note(tx, "session.delete", account_id, client, target=session_id)

    async def end_others(self, account_id: str, session_id: str, client: Client) -> int:
        """Ends all sessions of an account but one; returns how many."""
        async with self._database.transaction() as tx:
            ended = await end_all(tx, account_id, "by its owner", but=session_id)
            await note(tx, "session.delete_others", account_id, client, after={"sessions_ended": ended})
            return ended

    async def _successor(self, tx: Transaction, digest: bytes, row: Row) -> str:
        """The next token; "" when this one was used before."""
        place = f"refresh/{row['session_id']}"
        if row["used"]:
            again = row["just_used"] and row["successor_sealed"] is not None
            return str(self._sealer.open(row["successor_sealed"], place)) if again else ""
        successor = secrets.make(PREFIX)
        await tx.execute(SQL["forget_successors"], row["session_id"])
        await tx.execute(SQL["use_token"], digest, self._sealer.seal(successor, place))
        await tx.execute(SQL["add_token"], secrets.digest(successor), row["session_id"], REFRESH_S)
        return successor

    async def _copied(self, tx: Transaction, row: Row, client: Client) -> None:
        why = "a refresh token was used twice"
        await tx.execute(SQL["end"], row["session_id"], row["account_id"], why)
        await note(tx, "session.reuse", row["account_id"], client, target=row["session_id"], after={"ended": why})
        await self._mails.post(tx, row["email"], Template.SESSION_COPIED, address=client.address)
        log.warning("session %s is ended: %s", row["session_id"], why)


async def end_all(tx: Transaction, account_id: str, why: str, *, but: str = "") -> int:
    """Ends the sessions of an account in a transaction of the caller's; returns how many.

    What they granted goes first, or a stolen session could keep a grant at hand and come back by it. A program that
    fetches its session at this moment is waited for, and its session is ended too.

    Args:
        but: the one that goes on.
    """
    for grants in ("void_codes", "void_devices"):
        await tx.execute(SQL[grants], account_id)
    return int((await tx.execute(SQL["end_all"], account_id, why, but)).rpartition(" ")[2])
