"""Makes API tokens; who holds one is authenticate.py's to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from control.auth.tokens import secret as secrets
from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.errors import define

TOKEN_INVALID = define(
    "TOKEN_INVALID", source="client", status=401, hint="use a token of this platform: shipoff login --url URL"
)
TOKEN_NAME_INVALID = define("TOKEN_NAME_INVALID", source="client", status=422, hint="use 1 to 100 printable characters")

SQL: Final = load_queries("control.auth.tokens")
NAME_LENGTH: Final = 100


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token at the one moment when its secret is known."""

    id: str
    secret: str


class Tokens:
    """Adds tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, account_id: str, name: str) -> NewToken:
        """Adds a token to an account that exists."""
        async with self._database.transaction() as tx:
            return await issue(tx, account_id, name)


async def issue(tx: Transaction, account_id: str, name: str) -> NewToken:
    """Writes a token in a transaction of the caller's.

    Raises:
        ShipoffError: TOKEN_NAME_INVALID.
    """
    if not name.isprintable() or not 0 < len(name) <= NAME_LENGTH:
        raise TOKEN_NAME_INVALID(f"{name[:NAME_LENGTH]!r} cannot name a token")
    token = NewToken(id=ids.new("tok"), secret=secrets.make())
    stored = secrets.digest(token.secret), secrets.displayed(token.secret)
    await tx.execute(SQL["insert"], token.id, account_id, name, *stored)
    return token
