"""Issues tokens that work once, and takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from control.auth.one_time import secret as secrets
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define

ONE_TIME_TOKEN_INVALID = define(
    "ONE_TIME_TOKEN_INVALID",
    source="client",
    status=410,
    hint="it works once and for a limited time: ask for a new one",
)
SQL: Final = load_queries("control.auth.one_time")
HOUR_S: Final = 3600.0


class Purpose(StrEnum):
    """What a token opens; one is never good for another."""

    VERIFY = "verify"
    EMAIL = "email"
    RESET = "reset"
    LOGIN = "login"


LIFE_S: Final[Mapping[Purpose, float]] = {
    Purpose.VERIFY: 24 * HOUR_S,
    Purpose.EMAIL: 24 * HOUR_S,
    Purpose.RESET: HOUR_S,
    Purpose.LOGIN: 300.0,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a token stood for."""

    account_id: str
    purpose: Purpose
    payload: Mapping[str, Any]


async def issue(
    tx: Transaction, purpose: Purpose, account_id: str, payload: Mapping[str, Any], *, alone: bool = False
) -> str:
    """Writes a token in a transaction of the caller's, and returns its secret.

    Args:
        tx: of the caller's.
        purpose: decides how long it lives.
        account_id: whose.
        payload: JSON that comes back with it.
        alone: whether earlier ones of this purpose cease to work.
    """
    if alone:
        await void(tx, account_id, purpose)
    secret = secrets.make()
    await tx.execute(SQL["issue"], secrets.digest(secret), purpose, account_id, dict(payload), LIFE_S[purpose])
    return secret


async def take(tx: Transaction, secret: str, *purposes: Purpose) -> Taken:
    """Uses a token up; of two callers at once, one gets it.

    Raises:
        ShipoffError: ONE_TIME_TOKEN_INVALID when it is unknown, used, expired, or for something else.
    """
    row = None
    if secrets.is_well_formed(secret):
        row = await tx.fetchrow(SQL["take"], secrets.digest(secret), list(purposes))
    return _taken(row)


async def peek(database: Database, secret: str, purpose: Purpose) -> Taken:
    """What a token stands for, before work that is worth doing for one that is good only.

    Raises:
        ShipoffError: ONE_TIME_TOKEN_INVALID.
    """
    row = None
    if secrets.is_well_formed(secret):
        row = await database.fetchrow(SQL["peek"], secrets.digest(secret), purpose)
    return _taken(row)


async def attempt(tx: Transaction, secret: str, purpose: Purpose, most: int) -> Taken:
    """Counts a try with a token that something else must be right with; `take` uses it up then.

    Args:
        most: tries; later ones find nothing.

    Raises:
        ShipoffError: ONE_TIME_TOKEN_INVALID.
    """
    row = None
    if secrets.is_well_formed(secret):
        row = await tx.fetchrow(SQL["attempt"], secrets.digest(secret), purpose, most)
    return _taken(row)


async def void(tx: Transaction, account_id: str, *purposes: Purpose) -> None:
    """Makes an account's tokens for these purposes cease to work."""
    await tx.execute(SQL["void"], account_id, list(purposes))


def _taken(row: Row | None) -> Taken:
    if row is None:
        raise ONE_TIME_TOKEN_INVALID("the token is not valid, or not any more")
    return Taken(row["account_id"], Purpose(row["purpose"]), row["payload"])
