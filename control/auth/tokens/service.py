"""Makes, lists and revokes API tokens; who holds one is authenticate.py's to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from control.auth import limits as limit
from control.auth.audit.record import record
from control.auth.limits import Limits
from control.auth.owned import Owned
from control.auth.sessions.proof import require_recent
from control.auth.standing import require_rank
from control.auth.tokens import secret as secrets
from control.auth.tokens.rules import Wanted, check, check_within
from kernel import ids
from kernel.authority import Resource, Role, current
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define

TOKEN_INVALID = define(
    "TOKEN_INVALID", source="client", status=401, hint="use a token of this platform: shipoff login --url URL"
)
TOKEN_NOT_FOUND = define("TOKEN_NOT_FOUND", source="client", status=404, hint="see them: shipoff tokens list")

SQL: Final = load_queries("control.auth.tokens")


@dataclass(frozen=True, slots=True)
class Token:
    """A token as lists show it.

    Attributes:
        prefix: the first characters of the secret.
        wanted: what it was made for.
        last_used_at: to the minute.
    """

    id: str
    prefix: str
    wanted: Wanted
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class NewToken:
    """A token at the one moment when its secret is known."""

    token: Token
    secret: str


class Tokens:
    """The tokens of accounts and of projects."""

    def __init__(self, database: Database, owned: Owned, limits: Limits) -> None:
        self._database, self._owned, self._limits = database, owned, limits

    async def create(self, account_id: str, wanted: Wanted) -> NewToken:
        """Adds a token to an account.

        Raises:
            ShipoffError: TOKEN_NAME_INVALID, TOKEN_SCOPES_INVALID, TOKEN_EXPIRY_INVALID, TOKEN_TOO_WIDE, LIMIT_REACHED
                or PROJECT_NOT_FOUND.
        """
        check(wanted, datetime.now(UTC))
        if wanted.project_id:
            await self._owned.check(wanted.team_id, wanted.project_id)
        async with self._database.transaction() as tx:
            await _check_maker(tx, wanted)
            await tx.execute(SQL["lock_account"], account_id)
            await tx.execute(SQL["forget_old"], account_id, "")
            count = await tx.fetchval(SQL["count_of_account"], account_id)
            limit.check(count, self._limits.tokens_per_account, "tokens of the account")
            return await issue(tx, account_id, wanted)

    async def create_for_project(self, wanted: Wanted) -> NewToken:
        """Adds a token to a project, with a role there that is at most its maker's.

        Raises:
            ShipoffError: as `create`; ROLE_TOO_HIGH.
        """
        check(wanted, datetime.now(UTC))
        async with self._database.transaction() as tx:
            await tx.execute(SQL["lock_team"], wanted.team_id)
            await self._owned.hold(tx, wanted.team_id, wanted.project_id)
            await _check_maker(tx, wanted)
            await require_rank(tx, Resource(wanted.team_id, wanted.project_id), wanted.role or Role.OWNER)
            await tx.execute(SQL["forget_old"], "", wanted.project_id)
            count = await tx.fetchval(SQL["count_of_project"], wanted.project_id)
            limit.check(count, self._limits.tokens_per_account, "tokens of the project")
            return await issue(tx, None, wanted)

    async def of_account(self, account_id: str) -> list[Token]:
        """Newest first."""
        return [_token(row) for row in await self._database.fetch(SQL["of_account"], account_id)]

    async def of_project(self, on: Resource) -> list[Token]:
        """Newest first."""
        return [_token(row) for row in await self._database.fetch(SQL["of_project"], on.project_id, on.team_id)]

    async def revoke(self, account_id: str, token_id: str) -> None:
        """Ends a token of an account, from the next request on.

        Raises:
            ShipoffError: TOKEN_NOT_FOUND.
        """
        async with self._database.transaction() as tx:
            await _end(tx, await tx.fetchrow(SQL["one_of_account"], token_id, account_id), token_id)

    async def revoke_of_project(self, on: Resource, token_id: str) -> None:
        """Ends a token of a project.

        Raises:
            ShipoffError: TOKEN_NOT_FOUND or ROLE_TOO_HIGH.
        """
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(SQL["one_of_project"], token_id, on.project_id, on.team_id)
            if row is not None:
                await require_rank(tx, on, Role(row["role"]))
            await _end(tx, row, token_id)


async def issue(tx: Transaction, account_id: str | None, wanted: Wanted) -> NewToken:
    """Writes a token in a transaction of the caller's, who has checked that it may be.

    Raises:
        ShipoffError: TOKEN_NAME_INVALID, TOKEN_SCOPES_INVALID or TOKEN_EXPIRY_INVALID.
    """
    check(wanted, datetime.now(UTC))
    secret = secrets.make()
    row = await tx.fetchrow(
        SQL["insert"],
        ids.new("tok"),
        account_id,
        wanted.name,
        secrets.digest(secret),
        secrets.displayed(secret),
        None if wanted.scopes is None else sorted(wanted.scopes),
        wanted.expires_at,
        wanted.project_id or None,
        wanted.team_id or None if account_id is None else None,
        wanted.role,
    )
    assert row is not None  # noqa: S101 - an insert returns its row
    await _record(tx, "token.create", row, after=_fields(row))
    return NewToken(_token(row), secret)


async def _check_maker(tx: Transaction, wanted: Wanted) -> None:
    await require_recent(tx)
    who = current()
    ends = await tx.fetchval(SQL["ends"], who.credential_id) if who.credential_id else None
    check_within(wanted, who, ends)


async def _end(tx: Transaction, row: Row | None, token_id: str) -> None:
    if row is None:
        raise TOKEN_NOT_FOUND(f"there is no token {token_id[:80]!r}")
    await tx.execute(SQL["delete"], token_id)
    await _record(tx, "token.delete", row, before=_fields(row))


async def _record(tx: Transaction, action: str, row: Row, **fields: Any) -> None:
    """Of an account's token, in its personal team's log."""
    team = row["team_id"] or f"tem_{row['account_id'][4:]}"
    await record(tx, action, team_id=team, project_id=row["project_id"] or "", target=row["id"], **fields)


def _fields(row: Row) -> dict[str, Any]:
    shown = {name: row[name] for name in ("name", "scopes", "project_id", "role") if row[name] is not None}
    return shown | ({"expires_at": row["expires_at"].isoformat()} if row["expires_at"] else {})


def _token(row: Row) -> Token:
    wanted = Wanted(
        name=row["name"],
        scopes=None if row["scopes"] is None else frozenset(row["scopes"]),
        expires_at=row["expires_at"],
        project_id=row["project_id"] or "",
        team_id=row["team_id"] or "",
        role=Role(row["role"]) if row["role"] else None,
    )
    return Token(row["id"], row["prefix"], wanted, row["created_at"], row["last_used_at"])
