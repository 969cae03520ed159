"""Confirms, changes and resets passwords."""

from __future__ import annotations

from typing import Final

from control.auth.background import Background
from control.auth.caller import Client
from control.auth.limiting.rules import Rules, network
from control.auth.limiting.service import Limiter
from control.auth.mail.service import Mails, Template
from control.auth.one_time.service import Purpose, issue, peek, take, void
from control.auth.passwords.hasher import Hasher
from control.auth.passwords.rules import check, normal
from control.auth.sessions.service import end_all
from control.auth.trail import note
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define

PASSWORD_WRONG = define("PASSWORD_WRONG", source="client", status=403, hint="give the account's present password")
PASSWORD_NOT_SET = define(
    "PASSWORD_NOT_SET", source="client", status=409, hint="set one first: POST /v1/auth/password/forgot"
)
SQL: Final = load_queries("control.auth.passwords")


class Passwords:
    """Those of all accounts."""

    def __init__(
        self, database: Database, hasher: Hasher, limiter: Limiter, rules: Rules, mails: Mails, background: Background
    ) -> None:
        self._database, self._hasher, self._limiter, self._rules = database, hasher, limiter, rules
        self._mails, self._background = mails, background

    async def checked(self, password: str, *about: str) -> str:
        """The hash of a new password that is good enough.

        Raises:
            ShipoffError: PASSWORD_WEAK.
        """
        await self._hasher.aside(check, normal(password), about)
        return await self._hasher.hash(password)

    async def confirm(self, account_id: str, password: str) -> None:
        """Makes sure that who has the session has the password too.

        Raises:
            ShipoffError: PASSWORD_WRONG, PASSWORD_NOT_SET, TOO_MANY_ATTEMPTS.
        """
        await self._confirmed(account_id, password)

    async def change(self, account_id: str, session_id: str, old: str, new: str, client: Client) -> None:
        """Sets another password for who knows the present one; other sessions end.

        Raises:
            ShipoffError: PASSWORD_WRONG, PASSWORD_NOT_SET, PASSWORD_WEAK, TOO_MANY_ATTEMPTS.
        """
        row = await self._confirmed(account_id, old)
        stored = await self.checked(new, row["name"], row["email"])
        async with self._database.transaction() as tx:
            await tx.execute(SQL["set"], account_id, stored)
            await self._changed(tx, account_id, row["email"], "password.update", client, but=session_id)

    async def forgot(self, email: str, client: Client) -> None:
        """Mails a link to who has the address; all of it after the answer, which is the same for everybody.

        Raises:
            ShipoffError: TOO_MANY_ATTEMPTS, for the client.
        """
        await self._limiter.require(self._rules.mail_request, network(client.address))
        self._background.start(self._send(email.strip().replace("\0", "")), "mail for a new password")

    async def reset(self, token: str, new: str, client: Client) -> None:
        """Sets a password for who has the token of the mail; all sessions end, and signing in is free again.

        Raises:
            ShipoffError: ONE_TIME_TOKEN_INVALID; PASSWORD_WEAK, after which the token is still good.
        """
        peeked = await peek(self._database, token, Purpose.RESET)
        row = await self._database.fetchrow(SQL["by_id"], peeked.account_id)
        stored = await self.checked(new, *(() if row is None else (row["name"], row["email"])))
        async with self._database.transaction() as tx:
            taken = await take(tx, token, Purpose.RESET)
            email = await tx.fetchval(SQL["set_and_verify"], taken.account_id, stored)
            await self._changed(tx, taken.account_id, email, "password.reset", client)
        await self._limiter.forget(self._rules.login_account, email.lower(), "")

    async def _confirmed(self, account_id: str, password: str) -> Row:
        await self._limiter.require(self._rules.confirm, account_id)
        row = await self._database.fetchrow(SQL["by_id"], account_id)
        stored = None if row is None else row["password_hash"]
        if row is not None and stored is None:
            raise PASSWORD_NOT_SET("the account has no password")
        if row is None or not await self._hasher.verify(stored, password):
            raise PASSWORD_WRONG("the password is wrong")
        await self._limiter.forget(self._rules.confirm, account_id)
        return row

    async def _changed(
        self, tx: Transaction, account_id: str, email: str, action: str, client: Client, *, but: str = ""
    ) -> None:
        """What goes with every change: nothing that was begun with the old password goes on."""
        await void(tx, account_id, Purpose.RESET, Purpose.LOGIN, Purpose.EMAIL, Purpose.VERIFY)
        ended = await end_all(tx, account_id, "the password was changed", but=but)
        await self._mails.post(tx, email, Template.PASSWORD_CHANGED, address=client.address)
        await note(tx, action, account_id, client, after={"sessions_ended": ended})

    async def _send(self, email: str) -> None:
        row = await self._database.fetchrow(SQL["by_email"], email)
        if row is None or await self._limiter.take(self._rules.mail_to, email.lower()):
            return
        async with self._database.transaction() as tx:
            token = await issue(tx, Purpose.RESET, row["id"], {})
            await self._mails.post(tx, row["email"], Template.RESET, link=self._mails.link("/reset", token))
