"""Registering: an account with its team, and the proof that the address is its owner's.

What it refuses to tell is whether an address has an account: everybody gets the same answer, and the address's owner
gets a mail.
"""

from __future__ import annotations

from collections.abc import Mapping

from control.auth.accounts.rules import REGISTRATION_CLOSED, normal_email, normal_name
from control.auth.accounts.service import SQL, create
from control.auth.background import Background
from control.auth.caller import Client
from control.auth.limiting.rules import Rules, network
from control.auth.limiting.service import Limiter
from control.auth.mail.service import Mails, Template
from control.auth.one_time.service import ONE_TIME_TOKEN_INVALID, Purpose, issue, take, void
from control.auth.passwords.service import Passwords
from control.auth.trail import note
from kernel.database import Database
from kernel.database.pool import Transaction


class Registration:
    """Lets people register."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        limiter: Limiter,
        rules: Rules,
        mails: Mails,
        background: Background,
        *,
        open_to_all: bool,
    ) -> None:
        self._database, self._passwords, self._limiter, self._rules = database, passwords, limiter, rules
        self._mails, self._background, self._open = mails, background, open_to_all

    async def register(self, name: str, email: str, password: str, client: Client) -> None:
        """Makes an account that can sign in once its address is confirmed, or tells the one who has it.

        An address that is not confirmed yet may be registered again: nobody has shown that it is theirs. Each link
        carries the password that was given with it, so who registers a stranger's address first gains nothing by it.

        Raises:
            ShipoffError: REGISTRATION_CLOSED, NAME_INVALID, EMAIL_INVALID, PASSWORD_WEAK, TOO_MANY_ATTEMPTS.
        """
        if not self._open:
            raise REGISTRATION_CLOSED("who is new can't have an account here")
        name, email = normal_name(name), normal_email(email)
        await self._limiter.require(self._rules.register, network(client.address))
        stored = await self._passwords.checked(password, name, email)
        mails = not await self._limiter.take(self._rules.mail_to, email.lower())
        async with self._database.transaction() as tx:
            made = await create(tx, email, name, password_hash=stored)
            if made is not None:
                await note(tx, "account.create", made.id, client)
                await self._ask(tx, made.id, email, {"name": name, "password_hash": stored}, mails=mails)
            else:
                await self._again(tx, name, email, stored, mails=mails)

    async def verify(self, token: str, client: Client) -> str:
        """Takes the token of a mail: a registration's, or one for a new address (`profile.py`).

        Returns:
            The address that is confirmed by that.

        Raises:
            ShipoffError: ONE_TIME_TOKEN_INVALID.
        """
        async with self._database.transaction() as tx:
            taken = await take(tx, token, Purpose.VERIFY)
            given = taken.payload.get("name"), taken.payload.get("password_hash")
            email = await tx.fetchval(SQL["verify"], taken.account_id, *given)
            if email is None:
                raise ONE_TIME_TOKEN_INVALID("the address is confirmed already")
            await void(tx, taken.account_id, Purpose.VERIFY, Purpose.RESET)
            await note(tx, "account.verify", taken.account_id, client)
        return str(email)

    async def resend(self, email: str, client: Client) -> None:
        """Mails another link to an address that waits for one, after the answer, which is the same for everybody.

        Raises:
            ShipoffError: TOO_MANY_ATTEMPTS, for the client.
        """
        await self._limiter.require(self._rules.mail_request, network(client.address))
        self._background.start(self._resend(email.strip().replace("\0", "")), "mail to confirm an address")

    async def _resend(self, email: str) -> None:
        row = await self._database.fetchrow(SQL["registered"], email)
        if row is None or await self._limiter.take(self._rules.mail_to, email.lower()):
            return
        async with self._database.transaction() as tx:
            given = {"name": row["name"], "password_hash": row["password_hash"]}
            await self._ask(tx, row["id"], row["email"], given, mails=True)

    async def _again(self, tx: Transaction, name: str, email: str, stored: str, *, mails: bool) -> None:
        row = await tx.fetchrow(SQL["find"], email)
        if row is None:
            return  # it was deleted in this moment
        if not row["verified"]:
            await tx.execute(SQL["register_again"], row["id"], name, stored)
            await self._ask(tx, row["id"], row["email"], {"name": name, "password_hash": stored}, mails=mails)
        elif mails:
            await self._mails.post(tx, row["email"], Template.REGISTERED_ALREADY)

    async def _ask(
        self, tx: Transaction, account_id: str, email: str, given: Mapping[str, str], *, mails: bool
    ) -> None:
        """Mails a link; without a mail (there were too many) no token is made either."""
        if mails:
            token = await issue(tx, Purpose.VERIFY, account_id, given)
            await self._mails.post(tx, email, Template.VERIFY, link=self._mails.link("/verify", token))
