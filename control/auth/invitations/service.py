"""Invitations: by an address, good for a while, used once.

An invitation is worth what its maker is worth: if that account has lost the role that it takes to make it, it is void.
It is taken by an account whose proven address is the one invited, so a link that went astray opens nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.auth.accounts.rules import normal_email
from control.auth.audit.record import record
from control.auth.invitations.rules import Offer, check
from control.auth.limiting.rules import HOUR_S, Rule, Rules
from control.auth.limiting.service import Limiter
from control.auth.limits import Limits
from control.auth.limits import check as check_limit
from control.auth.mail.service import Mails, Template
from control.auth.members.service import join
from control.auth.owned import Owned
from control.auth.roles.service import MEMBER_EXISTS, grant
from control.auth.standing import require_rank, role_of
from control.auth.teams.service import lock
from kernel import ids
from kernel.authority import Resource, Role, current
from kernel.authority.permissions import LEAST
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define

INVITATION_NOT_FOUND = define(
    "INVITATION_NOT_FOUND", source="client", status=404, hint="see those that are open: shipoff members invitations"
)
INVITATION_EXISTS = define(
    "INVITATION_EXISTS",
    source="client",
    status=409,
    hint="send it again or revoke it: shipoff members invitations",
)
INVITATION_TOO_SOON = define(
    "INVITATION_TOO_SOON", source="client", status=429, retryable=True, hint="wait a minute before sending it again"
)
INVITATION_VOID = define(
    "INVITATION_VOID", source="client", status=404, hint="it works once and for some days; ask for another one"
)
INVITATION_FOR_ANOTHER = define(
    "INVITATION_FOR_ANOTHER",
    source="client",
    status=403,
    hint="sign in to the account whose confirmed address the invitation was sent to",
)
SQL: Final = load_queries("control.auth.invitations")
RESEND_S: Final = 60.0
INVITING: Final = Rule("invite", 50, HOUR_S)  # by one account, or one token of a project
PAGE: Final = "/invitations/accept"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation as lists show it."""

    id: str
    email: str
    offer: Offer
    invited_by: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an account has of an invitation."""

    team_id: str
    team_name: str
    role: Role | None
    project_id: str
    project_role: Role | None


class Invitations:
    """Makes and takes invitations."""

    def __init__(self, database: Database, owned: Owned, mails: Mails, limiter: Limiter, limits: Limits) -> None:
        self._database, self._owned, self._mails, self._limits = database, owned, mails, limits
        self._limiter = limiter

    async def invite(self, email: str, offer: Offer) -> tuple[Invitation, str]:
        """Makes an invitation and the mail that brings it.

        Returns:
            It, and the link in the mail.

        Raises:
            ShipoffError: EMAIL_INVALID, INVITATION_EMPTY, INVITATION_EXISTS, MEMBER_EXISTS, ROLE_TOO_HIGH,
                LIMIT_REACHED, TOO_MANY_ATTEMPTS, TEAM_NOT_FOUND or PROJECT_NOT_FOUND.
        """
        address = normal_email(email).lower()
        check(offer)
        if offer.project_id:
            await self._owned.check(offer.team_id, offer.project_id)
        mails = await self._may_mail(address)
        async with self._database.transaction() as tx:
            team = await lock(tx, offer.team_id)
            await _require_ranks(tx, offer)
            if offer.role is not None and await tx.fetchval(SQL["is_member"], offer.team_id, address):
                raise MEMBER_EXISTS("somebody with this address is a member")
            await tx.execute(SQL["forget_expired"], offer.team_id)
            open_now = await tx.fetchval(SQL["count_open"], offer.team_id)
            check_limit(open_now, self._limits.invitations_per_team, "open invitations of the team")
            token = secrets.token_urlsafe(32)
            row = await tx.fetchrow(SQL["insert"], ids.new("inv"), *self._values(address, offer, token))
            if row is None:
                raise INVITATION_EXISTS("there is an open invitation for this address")
            await _record(tx, "invitation.create", row)
            return _invitation(row), await self._post(tx, team, row, token, mails=mails)

    async def open(self, team_id: str, project_id: str) -> list[Invitation]:
        """Those that can be accepted, newest first."""
        return [_invitation(row) for row in await self._database.fetch(SQL["list"], team_id, project_id)]

    async def get(self, team_id: str, invitation_id: str, project_id: str = "") -> Invitation:
        """An open one.

        Args:
            project_id: only if it is to this project; "" is any of the team's.

        Raises:
            ShipoffError: INVITATION_NOT_FOUND.
        """
        row = await self._database.fetchrow(SQL["get"], invitation_id, team_id, RESEND_S, project_id)
        return _invitation(_found(row, invitation_id))

    async def resend(self, team_id: str, invitation_id: str) -> tuple[Invitation, str]:
        """Sends it again, with a new link, for the full time.

        Raises:
            ShipoffError: INVITATION_NOT_FOUND, INVITATION_TOO_SOON, ROLE_TOO_HIGH or TOO_MANY_ATTEMPTS.
        """
        mails = await self._may_mail((await self.get(team_id, invitation_id)).email)
        async with self._database.transaction() as tx:
            team = await lock(tx, team_id)
            old = _found(await tx.fetchrow(SQL["get"], invitation_id, team_id, RESEND_S, ""), invitation_id)
            if old["sent_just_now"]:
                raise INVITATION_TOO_SOON("it was sent less than a minute ago", retry_after_s=int(RESEND_S))
            await _require_ranks(tx, _offer(old))
            token = secrets.token_urlsafe(32)
            days = self._limits.invitation_days
            row = _found(await tx.fetchrow(SQL["renew"], invitation_id, _digest(token), days), invitation_id)
            await _record(tx, "invitation.resend", row)
            return _invitation(row), await self._post(tx, team, row, token, mails=mails)

    async def revoke(self, team_id: str, invitation_id: str) -> None:
        """Takes it back.

        Raises:
            ShipoffError: INVITATION_NOT_FOUND.
        """
        async with self._database.transaction() as tx:
            await lock(tx, team_id)
            row = _found(await tx.fetchrow(SQL["get"], invitation_id, team_id, RESEND_S, ""), invitation_id)
            await tx.execute(SQL["delete"], invitation_id)
            await _record(tx, "invitation.revoke", row)

    async def accept(self, token: str, account_id: str) -> Accepted:
        """Gives an account what the invitation offers; of several at once, one gets it.

        Raises:
            ShipoffError: INVITATION_VOID, INVITATION_FOR_ANOTHER, LIMIT_REACHED or PROJECT_NOT_FOUND.
        """
        digest = _digest(token)
        found = await self._database.fetchrow(SQL["by_token"], digest)
        if found is None:
            raise INVITATION_VOID("the invitation is not valid")
        team_id, project_id = found["team_id"], found["project_id"]
        async with self._database.transaction() as tx:
            team = await lock(tx, team_id)
            if project_id:
                await self._owned.hold(tx, team_id, project_id)
            row = await tx.fetchrow(SQL["accept"], digest, account_id)
            if row is None or not await _still_worth(tx, row):
                raise INVITATION_VOID("the invitation is not valid")
            if await tx.fetchval(SQL["address"], account_id) != row["email"]:
                raise INVITATION_FOR_ANOTHER("the invitation is for another address")
            offer = _offer(row)
            await _record(tx, "invitation.accept", row)
            role = await join(tx, team_id, account_id, offer.role, self._limits) if offer.role else None
            if offer.project_role:
                on = Resource(team_id, offer.project_id)
                await grant(tx, on, account_id, offer.project_role, self._limits)
            return Accepted(team_id, team["name"], role, offer.project_id, offer.project_role)

    def _values(self, email: str, offer: Offer, token: str) -> tuple[object, ...]:
        maker = current().account_id or None
        to = offer.team_id, email, offer.role, offer.project_id or None, offer.project_role
        return (*to, _digest(token), maker, self._limits.invitation_days)

    async def _may_mail(self, address: str) -> bool:
        """Takes one of the caller's invitations of this hour, and says whether the recipient gets a mail.

        Nobody can write to many strangers in our name, or often to one: who has had enough mails that anybody can
        cause gets no further one, and the link is told to who invites alone.
        """
        await self._limiter.require(INVITING, current().actor_id)
        return not await self._limiter.take(Rules().mail_to, address)

    async def _post(self, tx: Transaction, team: Row, row: Row, token: str, *, mails: bool) -> str:
        """Writes the mail; the slug is all that it shows of what others chose, and has letters and hyphens alone."""
        link = self._mails.link(PAGE, token)
        if mails:
            shown = {"team": team["slug"], "days": str(self._limits.invitation_days)}
            await self._mails.post(tx, row["email"], Template.INVITATION, link=link, **shown)
        return link


async def _require_ranks(tx: Transaction, offer: Offer) -> None:
    for _, on, role in offer.needs():
        await require_rank(tx, on, role)


async def _still_worth(tx: Transaction, row: Row) -> bool:
    """Whether who made it could make it now."""
    if row["invited_by"] is None:
        return True
    for permission, on, role in _offer(row).needs():
        own = await role_of(tx, row["invited_by"], on)
        if own is None or own.rank < max(role.rank, LEAST[permission].rank):
            return False
    return True


async def _record(tx: Transaction, action: str, row: Row) -> None:
    fields = {name: row[name] for name in ("email", "role", "project_role") if row[name]}
    where = {"team_id": row["team_id"], "project_id": row["project_id"] or "", "target": row["id"]}
    if action == "invitation.revoke":
        await record(tx, action, **where, before=fields)
    else:
        await record(tx, action, **where, after=fields)


def _found(row: Row | None, invitation_id: str) -> Row:
    if row is None:
        raise INVITATION_NOT_FOUND(f"there is no open invitation {invitation_id[:80]!r}")
    return row


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _offer(row: Row) -> Offer:
    role, project_role = (Role(row[name]) if row[name] else None for name in ("role", "project_role"))
    return Offer(row["team_id"], role, row["project_id"] or "", project_role)


def _invitation(row: Row) -> Invitation:
    times = {name: row[name] for name in ("created_at", "expires_at")}
    return Invitation(row["id"], row["email"], _offer(row), row["invited_by"] or "", **times)
