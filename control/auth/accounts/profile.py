"""What people change of their own accounts: name, address, and whether there is one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import asyncpg

from control.auth.accounts.rules import normal_email, normal_name
from control.auth.accounts.service import ACCOUNT_NOT_FOUND, SQL
from control.auth.caller import Client
from control.auth.limiting.rules import Rules
from control.auth.limiting.service import Limiter
from control.auth.mail.service import Mails, Template
from control.auth.one_time.service import Purpose, issue, take, void
from control.auth.trail import note, personal_team
from kernel.database import Database
from kernel.database.pool import Row, Transaction
from kernel.errors import define

EMAIL_TAKEN = define("EMAIL_TAKEN", source="client", status=409, hint="sign in to the account that has the address")
ACCOUNT_OWNS_TEAMS = define(
    "ACCOUNT_OWNS_TEAMS", source="client", status=409, hint="delete these teams, or transfer them to somebody"
)
ACCOUNT_OWNS_PROJECTS = define(
    "ACCOUNT_OWNS_PROJECTS", source="client", status=409, hint="delete these projects, or transfer them to a team"
)
ACCOUNT_OWNS_PLATFORM = define(
    "ACCOUNT_OWNS_PLATFORM", source="client", status=409, hint="the platform's first account stays"
)


class Owned(Protocol):
    """What a team owns, which another service knows."""

    async def names(self, team_id: str) -> list[str]:
        """Of its projects."""

    async def close(self, team_id: str) -> None:
        """Makes sure that it owns none and never will again; raises TEAM_HAS_PROJECTS."""


@dataclass(frozen=True, slots=True)
class Details:
    """An account as its holder sees it."""

    id: str
    email: str
    name: str
    is_owner: bool
    created_at: datetime
    verified: bool
    has_password: bool
    two_factor: bool


class Profile:
    """Changes accounts for their holders.

    Args:
        database: of auth.
        limiter: counts.
        rules: what it counts.
        mails: tell of every change.
        owned: projects of a personal team.
    """

    def __init__(self, database: Database, limiter: Limiter, rules: Rules, mails: Mails, owned: Owned) -> None:
        self._database, self._limiter, self._rules, self._mails = database, limiter, rules, mails
        self._owned = owned

    async def details(self, account_id: str) -> Details:
        """What there is to know.

        Raises:
            ShipoffError: ACCOUNT_NOT_FOUND.
        """
        row = await self._database.fetchrow(SQL["details"], account_id)
        if row is None:
            raise ACCOUNT_NOT_FOUND("the account is gone")
        return Details(**row)

    async def rename(self, account_id: str, name: str, client: Client) -> None:
        """Changes the name.

        Raises:
            ShipoffError: NAME_INVALID, ACCOUNT_NOT_FOUND.
        """
        name = normal_name(name)
        async with self._database.transaction() as tx:
            row = await _lock(tx, account_id)
            await tx.execute(SQL["rename"], account_id, name)
            before, after = {"name": row["name"]}, {"name": name}
            await note(tx, "account.update", account_id, client, before=before, after=after)

    async def ask_email(self, account_id: str, email: str, client: Client) -> None:
        """Begins a change of address: the new one gets a link, the old one a notice.

        The caller has checked the password. The answer is the same when somebody has the new address.

        Raises:
            ShipoffError: EMAIL_INVALID, TOO_MANY_ATTEMPTS, ACCOUNT_NOT_FOUND.
        """
        email = normal_email(email)
        await self._limiter.require(self._rules.mail_request, account_id)
        mails = not await self._limiter.take(self._rules.mail_to, email.lower())
        async with self._database.transaction() as tx:
            row = await _lock(tx, account_id)
            await self._mails.post(tx, row["email"], Template.EMAIL_CHANGING, address=client.address)
            if mails and await tx.fetchval(SQL["has_address"], email):
                await self._mails.post(tx, email, Template.EMAIL_TAKEN)
            elif mails:
                token = await issue(tx, Purpose.EMAIL, account_id, {"email": email}, alone=True)
                await self._mails.post(tx, email, Template.EMAIL_CONFIRM, link=self._mails.link("/verify", token))

    async def confirm_email(self, token: str, client: Client) -> str:
        """Ends a change of address by the token that went to the new one.

        Returns:
            The new address.

        Raises:
            ShipoffError: ONE_TIME_TOKEN_INVALID; EMAIL_TAKEN when somebody has registered with it meanwhile.
        """
        try:
            async with self._database.transaction() as tx:
                taken = await take(tx, token, Purpose.EMAIL)
                row = await _lock(tx, taken.account_id)
                email = str(taken.payload["email"])
                await tx.execute(SQL["set_email"], taken.account_id, email)
                await void(tx, taken.account_id, Purpose.RESET, Purpose.VERIFY)  # they went to the old address
                await self._mails.post(tx, row["email"], Template.EMAIL_CHANGED)
                before, after = {"email": row["email"]}, {"email": email}
                await note(tx, "account.update", taken.account_id, client, before=before, after=after)
                return email
        except asyncpg.UniqueViolationError:
            raise EMAIL_TAKEN("another account has this address") from None

    async def delete(self, account_id: str, client: Client) -> None:
        """Deletes an account with its sessions, tokens and personal team. The caller has checked the password.

        Its team is closed to new projects when nothing else stands in the way. When we don't get to the deletion then,
        it stays closed and the next try deletes it.

        Raises:
            ShipoffError: ACCOUNT_OWNS_TEAMS, ACCOUNT_OWNS_PROJECTS, ACCOUNT_OWNS_PLATFORM, ACCOUNT_NOT_FOUND.
        """
        if projects := await self._owned.names(personal_team(account_id)):
            raise ACCOUNT_OWNS_PROJECTS(f"the account owns projects: {', '.join(projects[:5])}")
        async with self._database.transaction() as tx:
            await _deletable(tx, account_id)
        await self._owned.close(personal_team(account_id))
        async with self._database.transaction() as tx:
            row = await _deletable(tx, account_id)
            await note(tx, "account.delete", account_id, client)
            await self._mails.post(tx, row["email"], Template.ACCOUNT_DELETED, address=client.address)
            await tx.execute(SQL["delete"], account_id)


async def _deletable(tx: Transaction, account_id: str) -> Row:
    """The account, locked, if nobody depends on it."""
    row = await _lock(tx, account_id)
    if row["is_owner"]:
        raise ACCOUNT_OWNS_PLATFORM("the account owns the platform")
    if teams := [team["slug"] for team in await tx.fetch(SQL["shared_teams"], account_id)]:
        raise ACCOUNT_OWNS_TEAMS(f"the account owns teams that others depend on: {', '.join(teams)}")
    return row


async def _lock(tx: Transaction, account_id: str) -> Row:
    row = await tx.fetchrow(SQL["lock"], account_id)
    if row is None:
        raise ACCOUNT_NOT_FOUND("the account is gone")
    return row
