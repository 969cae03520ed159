"""Turns the second factor on and off, and checks codes: each is good once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.auth.caller import Client
from control.auth.limiting.rules import Rules
from control.auth.limiting.service import Limiter
from control.auth.mail.service import Mails, Template
from control.auth.trail import note
from control.auth.two_factor import codes
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.errors import define
from kernel.sealing import Sealer

TWO_FACTOR_ON = define("TWO_FACTOR_ON", source="client", status=409, hint="turn it off first: DELETE /v1/me/two-factor")
TWO_FACTOR_OFF = define(
    "TWO_FACTOR_OFF", source="client", status=409, hint="begin with POST /v1/me/two-factor, confirm with a code"
)
TWO_FACTOR_CODE_INVALID = define(
    "TWO_FACTOR_CODE_INVALID", source="client", status=422, hint="wait for the next code; is the device's clock right?"
)
SQL: Final = load_queries("control.auth.two_factor")


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """What an authenticator needs; shown once, so it has no repr.

    Attributes:
        secret: base32.
        uri: otpauth://….
    """

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class Status:
    """Whether it is on, since when, and how many recovery codes are left."""

    on: bool
    since: datetime | None
    recovery_codes: int


class TwoFactor:
    """That of all accounts.

    Args:
        database: of auth.
        sealer: for the secrets at rest.
        mails: tell the owner of every change.
        limiter: counts codes, by the rule `second_factor`.
        rules: of it.
        clock: unix seconds.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        mails: Mails,
        limiter: Limiter,
        rules: Rules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._sealer, self._mails, self._clock = database, sealer, mails, clock
        self._limiter, self._rules = limiter, rules

    async def status(self, account_id: str) -> Status:
        """How it stands with an account."""
        row = await self._database.fetchrow(SQL["status"], account_id)
        return Status(False, None, 0) if row is None else Status(True, row["confirmed_at"], row["left"])

    async def begin(self, account_id: str) -> Enrolment:
        """Makes a secret, which counts for nothing before it is confirmed. The caller has checked the password.

        Raises:
            ShipoffError: TWO_FACTOR_ON.
        """
        secret = codes.new_secret()
        async with self._database.transaction() as tx:
            email = await tx.fetchval(SQL["email_of"], account_id)
            sealed = self._sealer.seal(secret, place(account_id))
            if await tx.fetchval(SQL["begin"], account_id, sealed) is None:
                raise TWO_FACTOR_ON("two-factor authentication is on already")
        return Enrolment(secret, codes.uri(secret, str(email)))

    async def confirm(self, account_id: str, code: str, client: Client) -> list[str]:
        """Turns it on for who can make codes with the secret.

        Returns:
            The recovery codes, which are nowhere else.

        Raises:
            ShipoffError: TWO_FACTOR_OFF when none was begun, TWO_FACTOR_CODE_INVALID, TOO_MANY_ATTEMPTS.
        """
        await self._limiter.require(self._rules.second_factor, account_id)
        async with self._database.transaction() as tx:
            step = await self._step(tx, "pending", account_id, codes.clean(code))
            await tx.execute(SQL["confirm"], account_id, step)
            fresh = await self._renewed(tx, account_id)
            await self._tell(tx, account_id, Template.TWO_FACTOR_ON, client)
            await note(tx, "two_factor.enable", account_id, client)
        await self._limiter.forget(self._rules.second_factor, account_id)
        return fresh

    async def check(self, tx: Transaction, account_id: str, code: str, client: Client) -> str:
        """Takes a code, in a transaction of the caller's.

        Returns:
            How it was proven (RFC 8176): "otp", or "recovery".

        Raises:
            ShipoffError: TWO_FACTOR_CODE_INVALID, also for one that was used; TWO_FACTOR_OFF.
        """
        cleaned = codes.clean(code)
        if codes.is_totp(cleaned):
            await tx.execute(SQL["use_step"], account_id, await self._step(tx, "confirmed", account_id, cleaned))
            return "otp"
        if await tx.fetchval(SQL["use_recovery"], account_id, codes.digest(account_id, cleaned)) is None:
            raise TWO_FACTOR_CODE_INVALID("the code is not valid, or not any more")
        left = await tx.fetchval(SQL["left"], account_id)
        await self._tell(tx, account_id, Template.RECOVERY_CODE_USED, client, left=str(left))
        return "recovery"

    async def renew(self, account_id: str, code: str, client: Client) -> list[str]:
        """New recovery codes in place of all earlier ones. The caller has checked the password.

        Raises:
            ShipoffError: TWO_FACTOR_OFF, TWO_FACTOR_CODE_INVALID, TOO_MANY_ATTEMPTS.
        """
        await self._limiter.require(self._rules.second_factor, account_id)
        async with self._database.transaction() as tx:
            await self.check(tx, account_id, code, client)
            fresh = await self._renewed(tx, account_id)
            await note(tx, "recovery_codes.renew", account_id, client)
        await self._limiter.forget(self._rules.second_factor, account_id)
        return fresh

    async def disable(self, account_id: str, code: str, client: Client) -> None:
        """Turns it off. The caller has checked the password.

        Raises:
            ShipoffError: TWO_FACTOR_OFF, TWO_FACTOR_CODE_INVALID, TOO_MANY_ATTEMPTS.
        """
        await self._limiter.require(self._rules.second_factor, account_id)
        async with self._database.transaction() as tx:
            await self.check(tx, account_id, code, client)
            await tx.execute(SQL["off"], account_id)
            await self._tell(tx, account_id, Template.TWO_FACTOR_OFF, client)
            await note(tx, "two_factor.disable", account_id, client)
        await self._limiter.forget(self._rules.second_factor, account_id)

    async def _step(self, tx: Transaction, which: str, account_id: str, code: str) -> int:
        """The step of a code; the row is locked, so that of two calls with the same code one comes too late."""
        row = await tx.fetchrow(SQL[which], account_id)
        if row is None:
            raise TWO_FACTOR_OFF("two-factor authentication is not on, or not begun")
        secret = str(self._sealer.open(row["secret_sealed"], place(account_id)))
        step = codes.step_of(secret, code, self._clock(), row["last_step"]) if codes.is_totp(code) else None
        if step is None:
            raise TWO_FACTOR_CODE_INVALID("the code is not valid, or not any more")
        return step

    async def _renewed(self, tx: Transaction, account_id: str) -> list[str]:
        fresh = codes.new_recovery_codes()
        await tx.execute(SQL["drop_recovery"], account_id)
        await tx.executemany(SQL["add_recovery"], [(account_id, codes.digest(account_id, code)) for code in fresh])
        return fresh

    async def _tell(self, tx: Transaction, account_id: str, template: Template, client: Client, **values: str) -> None:
        email = await tx.fetchval(SQL["email_of"], account_id)
        await self._mails.post(tx, str(email), template, address=client.address, **values)


def place(account_id: str) -> str:
    """What a sealed secret is bound to."""
    return f"two-factor/{account_id}"
