"""The accounts of the platform; the first one owns it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define

ACCOUNT_NOT_FOUND = define(
    "ACCOUNT_NOT_FOUND", source="client", status=404, hint="run the platform's first start again"
)
EMAIL_INVALID = define("EMAIL_INVALID", source="client", status=422, hint="give one address, such as ada@example.org")

SQL: Final = load_queries("control.auth.accounts")
BOOTSTRAP_LOCK: Final = 0xB007  # the advisory lock that lets one first start win
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may use the platform."""

    id: str
    email: str
    name: str


class Accounts:
    """Finds accounts and makes the owner's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def owner(self) -> Account:
        """The account that owns the platform.

        Raises:
            ShipoffError: ACCOUNT_NOT_FOUND before the first start has made it.
        """
        return _account(await self._database.fetchrow(SQL["owner"]), "the platform has no owner account yet")

    async def get(self, account_id: str) -> Account:
        """An account by id.

        Raises:
            ShipoffError: ACCOUNT_NOT_FOUND.
        """
        return _account(await self._database.fetchrow(SQL["get"], account_id), f"no account {account_id!r}")


async def claim_owner(tx: Transaction, email: str) -> tuple[Account, bool]:
    """Makes the owner account unless there is one; of several callers at once, one wins and the others wait for it.

    Args:
        tx: what else belongs to winning (the first token) is written in it too.
        email: of the owner.

    Returns:
        The owner, and whether this call made it.

    Raises:
        ShipoffError: EMAIL_INVALID.
    """
    if not _EMAIL.fullmatch(email):
        raise EMAIL_INVALID(f"{email[:200]!r} is not an e-mail address")
    await tx.execute(SQL["lock_bootstrap"], BOOTSTRAP_LOCK)
    if (row := await tx.fetchrow(SQL["owner"])) is not None:
        return Account(**row), False
    account = Account(id=ids.new("acc"), email=email, name=email.partition("@")[0])
    await tx.execute(SQL["insert_owner"], account.id, account.email, account.name)
    await add_personal_team(tx, account)
    return account, True


async def create(
    tx: Transaction, email: str, name: str, *, password_hash: str | None = None, verified: bool = False
) -> Account | None:
    """Makes an account with its personal team, in a transaction of the caller's.

    Args:
        tx: of the caller's.
        email: in normal form (`rules.py`).
        name: as it is shown.
        password_hash: None when they sign in by other means.
        verified: whether the address is proven to be theirs.

    Returns:
        None when somebody has the address; of two callers at once, one makes it.
    """
    account = Account(id=ids.new("acc"), email=email, name=name)
    if await tx.fetchval(SQL["insert"], account.id, email, name, password_hash, verified) is None:
        return None
    await add_personal_team(tx, account)
    return account


async def add_personal_team(tx: Transaction, account: Account) -> str:
    """Makes the team that an account has for itself, and returns its id: `tem_` before the rest of the account's."""
    await tx.execute(SQL["insert_personal_team"], account.id, account.name)
    await tx.execute(SQL["insert_personal_role"], account.id)
    return f"tem_{account.id[4:]}"


def _account(row: Row | None, otherwise: str) -> Account:
    if row is None:
        raise ACCOUNT_NOT_FOUND(otherwise)
    return Account(**row)
