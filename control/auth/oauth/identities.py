"""Which account a person is whom a provider has proven, and how identities are linked and unlinked.

An address decides once, when the identity is new; from then on only issuer and subject do. It decides only where both
sides have proof: the provider says that it is verified, and here too it was confirmed by a mail. An account that
somebody registered with a stranger's address, hoping that its owner comes later by a provider (a password would wait in
it: https://www.usenix.org/conference/usenixsecurity22/presentation/sudhodanan), is deleted with all that hangs on it
and made anew, so nothing of it survives. Nothing is lost by that, for nobody has been able to sign in to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.auth.accounts.rules import NAME_LENGTH, REGISTRATION_CLOSED, normal_email
from control.auth.accounts.service import create
from control.auth.caller import Client
from control.auth.mail.service import Mails, Template
from control.auth.oauth.codes import SQL, Taken
from control.auth.oauth.provider import Person
from control.auth.trail import note
from kernel import ids
from kernel.database import Database
from kernel.database.pool import Row, Transaction
from kernel.errors import INTERNAL, UNAVAILABLE, define

PROVIDER_EMAIL_UNVERIFIED = define(
    "PROVIDER_EMAIL_UNVERIFIED",
    source="client",
    status=403,
    hint="confirm your address at the provider, or sign in here by password and link the provider then",
)
IDENTITY_TAKEN = define(
    "IDENTITY_TAKEN", source="client", status=409, hint="unlink it from the other account first: it is one person's"
)
IDENTITY_NOT_FOUND = define("IDENTITY_NOT_FOUND", source="client", status=404, hint="GET /v1/me/identities lists yours")
LAST_WAY_IN = define(
    "LAST_WAY_IN", source="client", status=409, hint="set a password (POST /v1/auth/password/forgot) or link another"
)
MOST: Final = 20  # identities of an account
TRIES: Final = 3


class _OvertakenError(Exception):
    """Another call made in this moment what this one was about to make."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity as its owner sees it."""

    id: str
    provider: str
    email: str
    created_at: datetime
    last_used_at: datetime


class Identities:
    """Those of all accounts.

    Args:
        database: of auth.
        mails: tell owners of what changes.
        open_to_all: whether who is new may have an account.
    """

    def __init__(self, database: Database, mails: Mails, *, open_to_all: bool) -> None:
        self._database, self._mails, self._open = database, mails, open_to_all

    async def account_of(self, proven: Taken, client: Client) -> str:
        """The account of a person; linked or made when they are new.

        Raises:
            ShipoffError: PROVIDER_EMAIL_UNVERIFIED, EMAIL_INVALID, REGISTRATION_CLOSED.
        """
        for _ in range(TRIES):
            try:
                async with self._database.transaction() as tx:
                    return await self._found(tx, proven, client)
            except _OvertakenError:
                continue  # what the other one made is found now
        raise UNAVAILABLE("others sign in with the same address at the same time")

    async def link(self, account_id: str, proven: Taken, client: Client) -> None:
        """Links a person to the account of whoever is signed in.

        Raises:
            ShipoffError: IDENTITY_TAKEN.
        """
        person = _of(proven)
        async with self._database.transaction() as tx:
            await self._held(tx, account_id)
            known = await tx.fetchrow(SQL["find_identity"], person.issuer, person.subject)
            if known is not None and known["account_id"] == account_id:
                return
            full = await tx.fetchval(SQL["count_identities"], account_id) >= MOST
            if known is not None or full or not await self._add(tx, account_id, proven, client):
                told = f"an account has {MOST} identities at most" if full else "it belongs to another account"
                raise IDENTITY_TAKEN(told)
            await self._tell(tx, account_id, Template.IDENTITY_LINKED, proven.provider, client)

    async def unlink(self, account_id: str, identity_id: str, client: Client) -> None:
        """Unlinks one, unless nothing would be left to sign in with.

        Raises:
            ShipoffError: IDENTITY_NOT_FOUND, LAST_WAY_IN.
        """
        async with self._database.transaction() as tx:
            account = await self._held(tx, account_id)
            provider = await tx.fetchval(SQL["remove_identity"], identity_id, account_id)
            if provider is None:
                raise IDENTITY_NOT_FOUND(f"no identity {identity_id[:40]!r}")
            if not account["has_password"] and not await tx.fetchval(SQL["count_identities"], account_id):
                raise LAST_WAY_IN("it is the only way into the account")
            await note(tx, "identity.delete", account_id, client, target=identity_id, before={"provider": provider})
            await self._tell(tx, account_id, Template.IDENTITY_UNLINKED, provider, client)

    async def list(self, account_id: str) -> Sequence[Identity]:
        """Those of an account, the oldest first."""
        return [Identity(**row) for row in await self._database.fetch(SQL["list_identities"], account_id)]

    async def _found(self, tx: Transaction, proven: Taken, client: Client) -> str:
        person = _of(proven)
        known = await tx.fetchrow(SQL["find_identity"], person.issuer, person.subject)
        if known is not None:
            await tx.execute(SQL["used_identity"], known["id"], person.email, proven.provider)
            return str(known["account_id"])
        if not person.email or not person.verified:
            raise PROVIDER_EMAIL_UNVERIFIED("the provider does not say that your e-mail address is verified")
        account_id, made = await self._by_email(tx, normal_email(person.email), person, client)
        if not await self._add(tx, account_id, proven, client):
            raise _OvertakenError
        if not made:
            await self._tell(tx, account_id, Template.IDENTITY_LINKED, proven.provider, client)
        return account_id

    async def _by_email(self, tx: Transaction, email: str, person: Person, client: Client) -> tuple[str, bool]:
        """The account that an address has, and whether it was made just now."""
        found = await tx.fetchrow(SQL["by_email"], email)
        if found is not None and found["verified"]:
            return str(found["id"]), False
        if not self._open:
            raise REGISTRATION_CLOSED("who is new can't have an account here")
        if found is not None:
            await tx.execute(SQL["drop_unverified"], found["id"])
        made = await create(tx, email, _name(person, email), verified=True)
        if made is None:
            raise _OvertakenError
        await note(tx, "account.create", made.id, client, after={"email": email, "provider": person.issuer})
        return made.id, True

    async def _add(self, tx: Transaction, account_id: str, proven: Taken, client: Client) -> bool:
        person, identity_id = _of(proven), ids.new("idn")
        said = person.issuer, person.subject, proven.provider, person.email
        if not await tx.fetchval(SQL["add_identity"], identity_id, account_id, *said):
            return False
        after = {"provider": proven.provider, "email": person.email}
        await note(tx, "identity.create", account_id, client, target=identity_id, after=after)
        return True

    async def _held(self, tx: Transaction, account_id: str) -> Row:
        row = await tx.fetchrow(SQL["hold_account"], account_id)
        if row is None:
            raise IDENTITY_NOT_FOUND("the account is gone")
        return row

    async def _tell(self, tx: Transaction, account_id: str, template: Template, provider: str, client: Client) -> None:
        account = await self._held(tx, account_id)
        await self._mails.post(tx, account["email"], template, provider=provider, address=client.address)


def _of(proven: Taken) -> Person:
    if proven.person is None:
        raise INTERNAL("the code stands for no person")
    return proven.person


def _name(person: Person, email: str) -> str:
    """What the provider calls them if that can be a name, else the beginning of their address."""
    name = " ".join(person.name.split())[:NAME_LENGTH].strip()
    return name if name and name.isprintable() else email.partition("@")[0][:NAME_LENGTH]
