"""Sign-in of a program that has no browser (RFC 8628): it shows a short code, which a signed-in person types elsewhere.

The short code has 34 bits, so it is worth something only to those who are signed in, and their tries are counted. It
says where the program is and what it calls itself, because whoever sends somebody a code hopes that they don't look.
"""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from control.auth.caller import Client
from control.auth.limiting.rules import HOUR_S, Rule, network
from control.auth.limiting.service import Limiter
from control.auth.oauth.codes import SQL, Proven
from control.auth.one_time import secret as secrets
from control.auth.sessions.service import Opened, Sessions
from kernel.database import Database
from kernel.database.pool import Transaction
from kernel.errors import UNAVAILABLE, ShipoffError, define

AUTHORIZATION_PENDING = define(
    "AUTHORIZATION_PENDING", source="client", status=400, retryable=True, hint="ask again after the interval"
)
SLOW_DOWN = define(
    "SLOW_DOWN", source="client", status=400, retryable=True, hint="wait five seconds longer between two questions"
)
ACCESS_DENIED = define("ACCESS_DENIED", source="client", status=400, hint="somebody said no: begin again")
EXPIRED_TOKEN = define("EXPIRED_TOKEN", source="client", status=400, hint="begin again: shipoff login --no-browser")
DEVICE_CODE_INVALID = define("DEVICE_CODE_INVALID", source="client", status=400, hint="begin again")
USER_CODE_INVALID = define(
    "USER_CODE_INVALID", source="client", status=404, hint="type the code as the program shows it; it lasts ten minutes"
)
LIFE_S: Final = 600
INTERVAL_S: Final = 5
LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # section 6.1: no vowels, so no words; nothing that looks like a digit
LENGTH: Final = 8
CLIENT_LENGTH: Final = 100
START: Final = Rule("device-start", 30, HOUR_S)  # of one client's network
TYPE: Final = Rule("device-type", 20, HOUR_S)  # codes that one account types


@dataclass(frozen=True, slots=True)
class Started:
    """What the program gets.

    Attributes:
        device_code: that it asks with.
        user_code: that it shows, `BCDF-GHJK`.
    """

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    expires_in_s: int = LIFE_S
    interval_s: int = INTERVAL_S


@dataclass(frozen=True, slots=True)
class Waiting:
    """A program that waits, as the person sees it who is to decide."""

    client: str
    address: str
    created_at: datetime


class Devices:
    """Programs that wait for somebody.

    Args:
        database: of auth.
        limiter: counts tries.
        sessions: opens theirs.
    """

    def __init__(self, database: Database, limiter: Limiter, sessions: Sessions) -> None:
        self._database, self._limiter, self._sessions = database, limiter, sessions

    async def start(self, client: Client) -> Started:
        """Makes a pair of codes.

        Raises:
            ShipoffError: TOO_MANY_ATTEMPTS.
        """
        await self._limiter.require(START, network(client.address))
        for _ in range(3):  # two that are alike at a time are one in millions
            device, user = secrets.make(), "".join(random.choice(LETTERS) for _ in range(LENGTH))
            given = client.user_agent[:CLIENT_LENGTH], client.address, INTERVAL_S, float(LIFE_S)
            if await self._database.fetchval(SQL["start_device"], secrets.digest(device), user, *given):
                return Started(device, f"{user[:4]}-{user[4:]}")
        raise UNAVAILABLE("no free code was found")

    async def exchange(self, device_code: str, client: Client) -> Opened:
        """A session for the program, once somebody has said yes (section 3.4).

        Raises:
            ShipoffError: AUTHORIZATION_PENDING, SLOW_DOWN, ACCESS_DENIED, EXPIRED_TOKEN, DEVICE_CODE_INVALID.
        """
        if not secrets.is_well_formed(device_code):
            raise DEVICE_CODE_INVALID("the device code is not valid")
        async with self._database.transaction() as tx:
            told = await self._told(tx, secrets.digest(device_code), client)
        if isinstance(told, ShipoffError):
            raise told  # outside of the transaction: that it asked is kept
        return told

    async def waiting(self, account_id: str, user_code: str) -> Waiting:
        """The program that shows a code.

        Raises:
            ShipoffError: USER_CODE_INVALID, TOO_MANY_ATTEMPTS.
        """
        await self._limiter.require(TYPE, account_id)
        row = await self._database.fetchrow(SQL["find_device"], clean(user_code))
        if row is None:
            raise USER_CODE_INVALID("no program waits with this code")
        return Waiting(**row)

    async def answer(self, by: Proven, user_code: str, *, approve: bool) -> None:
        """Says yes or no to the program that shows a code.

        Args:
            by: who says it.
            user_code: as typed.
            approve: yes.

        Raises:
            ShipoffError: USER_CODE_INVALID, TOO_MANY_ATTEMPTS.
        """
        await self._limiter.require(TYPE, by.account_id)
        given = by.account_id, not approve, list(by.amr), by.session_id
        said = await self._database.fetchrow(SQL["answer_device"], clean(user_code), *given)
        if said is None:
            raise USER_CODE_INVALID("no program waits with this code")

    async def _told(self, tx: Transaction, device_hash: bytes, client: Client) -> Opened | ShipoffError:
        row = await tx.fetchrow(SQL["hold_device"], device_hash)
        if row is None:
            return DEVICE_CODE_INVALID("the device code is not valid, or not any more")
        if row["expired"]:
            return EXPIRED_TOKEN("nobody said yes in time")
        await tx.execute(SQL["asked_device"], device_hash, INTERVAL_S if row["too_soon"] else 0)
        if row["too_soon"]:
            return SLOW_DOWN(f"it asks more often than every {row['interval_s']} seconds")
        if not row["refused"] and row["account_id"] is None:
            return AUTHORIZATION_PENDING("nobody has said yes yet")
        await tx.execute(SQL["end_device"], device_hash)
        if row["refused"]:
            return ACCESS_DENIED("the sign-in was refused")
        return await self._sessions.open(tx, row["account_id"], client, row["amr"], row["granted_by"] or "")


def clean(user_code: str) -> str:
    """A code without what people add to it (section 6.1); "" for what can be none."""
    kept = "".join(char for char in user_code[:40].upper() if char.isalnum())
    return kept if len(kept) == LENGTH and set(kept) <= set(LETTERS) else ""
