"""Signing in: a password, then a code if the account wants one, then a session.

What it refuses to tell: whether an address has an account. Both cost one argon2 computation and get the same answer,
the same counters and the same lockout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from control.auth.background import Background
from control.auth.caller import Client
from control.auth.limiting.rules import Rule, Rules, network
from control.auth.limiting.service import Limiter, refused
from control.auth.mail.service import Mails, Template
from control.auth.one_time.service import LIFE_S, ONE_TIME_TOKEN_INVALID, Purpose, attempt, issue, take
from control.auth.passwords.hasher import Hasher
from control.auth.sessions.service import SQL, Opened, Sessions
from control.auth.two_factor.service import TwoFactor
from kernel.database import Database
from kernel.database.pool import Row, Transaction
from kernel.errors import ShipoffError, define

# One refusal for a wrong password and for a right one whose address is not confirmed: who registers an address and then
# tries the password would learn by the difference whether the address had an account.
INVALID_CREDENTIALS = define(
    "INVALID_CREDENTIALS",
    source="client",
    status=401,
    hint="open the link in our mail first (POST /v1/auth/verify/resend sends another); POST /v1/auth/password/forgot"
    " helps who forgot the password",
)
CHALLENGE_INVALID = define("CHALLENGE_INVALID", source="client", status=401, hint="begin with the password again")

WRONG: Final = "the address or the password is wrong, or the address is not confirmed yet"
TRIES: Final = 5  # codes for one challenge
EMAIL_LENGTH: Final = 320  # RFC 3696 erratum 1690 and some


@dataclass(frozen=True, slots=True, repr=False)
class Challenge:
    """The password was right, and a code is needed.

    Attributes:
        token: comes back with the code.
    """

    token: str
    expires_in_s: int


class Login:
    """Lets people in."""

    def __init__(
        self,
        database: Database,
        hasher: Hasher,
        limiter: Limiter,
        rules: Rules,
        mails: Mails,
        background: Background,
        sessions: Sessions,
        two_factor: TwoFactor,
    ) -> None:
        self._database, self._hasher, self._sessions, self._two_factor = database, hasher, sessions, two_factor
        self._limiter, self._rules, self._mails, self._background = limiter, rules, mails, background

    async def with_password(self, email: str, password: str, client: Client) -> Opened | Challenge:
        """The first step.

        Raises:
            ShipoffError: INVALID_CREDENTIALS, also before the address is confirmed; TOO_MANY_ATTEMPTS.
        """
        email = email.strip()[:EMAIL_LENGTH].replace("\0", "")
        await self._limiter.require(self._rules.login_address, network(client.address))
        row = await self._database.fetchrow(SQL["credentials"], email, client.address)
        # Whoever locks an account out from elsewhere does not lock out those who have been in from here.
        who = (email.lower(), client.address if row is not None and row["known"] else "")
        await self._admit(self._rules.login_account, who, email, client)
        right = await self._hasher.verify(None if row is None else row["password_hash"], password)
        if row is None or not right or not row["verified"]:
            raise INVALID_CREDENTIALS(WRONG)
        await self._limiter.forget(self._rules.login_account, *who)
        stored = await self._renewed(row, password)
        return await self.finish(row["id"], ("pwd",), client, stored)

    async def with_code(self, challenge: str, code: str, client: Client) -> Opened:
        """The second step, with a code of the authenticator or a recovery code.

        Raises:
            ShipoffError: CHALLENGE_INVALID, TWO_FACTOR_CODE_INVALID, TOO_MANY_ATTEMPTS.
        """
        try:
            async with self._database.transaction() as tx:  # the try counts, whatever comes of it
                taken = await attempt(tx, challenge, Purpose.LOGIN, TRIES)
            email = str(await self._database.fetchval(SQL["email_of"], taken.account_id))
            await self._admit(self._rules.second_factor, (taken.account_id,), email, client)
            async with self._database.transaction() as tx:
                how = await self._two_factor.check(tx, taken.account_id, code, client)
                await take(tx, challenge, Purpose.LOGIN)
                amr = (*taken.payload["amr"], how, "mfa")
                opened = await self._sessions.open(tx, taken.account_id, client, amr)
        except ShipoffError as error:
            if error.code == ONE_TIME_TOKEN_INVALID.code:
                raise CHALLENGE_INVALID("the challenge is not valid, or not any more") from None
            raise
        await self._limiter.forget(self._rules.second_factor, taken.account_id)
        return opened

    async def finish(
        self, account_id: str, amr: Sequence[str], client: Client, stored: str | None = None
    ) -> Opened | Challenge:
        """What follows the first proof of who somebody is, whatever that was.

        Args:
            account_id: whose.
            amr: how they proved it.
            client: where they are.
            stored: the password's hash that was right; if it was changed in between, it is wrong now.

        Raises:
            ShipoffError: INVALID_CREDENTIALS.
        """
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(SQL["hold"], account_id)
            if row is None or not row["verified"] or (stored is not None and row["password_hash"] != stored):
                raise INVALID_CREDENTIALS(WRONG)
            if row["two_factor"]:
                return await self._challenge(tx, account_id, amr)
            return await self._sessions.open(tx, account_id, client, amr)

    async def _challenge(self, tx: Transaction, account_id: str, amr: Sequence[str]) -> Challenge:
        token = await issue(tx, Purpose.LOGIN, account_id, {"amr": list(amr)})
        return Challenge(token, int(LIFE_S[Purpose.LOGIN]))

    async def _admit(self, rule: Rule, who: tuple[str, ...], email: str, client: Client) -> None:
        if wait_s := await self._limiter.take(rule, *who):
            self._background.start(self._tell(email, client), "mail of a lockout")
            raise refused(wait_s)

    async def _tell(self, email: str, client: Client) -> None:
        """Mails the owner, if there is one, that somebody tries; not more often than that is news."""
        if await self._limiter.take(self._rules.lockout_mail, email.lower()):
            return
        row = await self._database.fetchrow(SQL["credentials"], email, "")
        if row is not None:
            async with self._database.transaction() as tx:
                await self._mails.post(tx, row["email"], Template.LOCKOUT, address=client.address)

    async def _renewed(self, row: Row, password: str) -> str:
        """The stored hash, made anew when its parameters are not today's."""
        stored = str(row["password_hash"])
        if not self._hasher.outdated(stored):
            return stored
        renewed = await self._hasher.hash(password)
        changed = await self._database.execute(SQL["rehash"], row["id"], stored, renewed)
        return renewed if changed.endswith(" 1") else stored
