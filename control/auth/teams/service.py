"""Teams: made by an account, which becomes the owner; deleted when they own nothing any more.

A team's row is the lock for everything about its members. Whoever also needs an account's takes the team's first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from control.auth.audit.record import record
from control.auth.limits import Limits, check
from control.auth.owned import Owned
from control.auth.teams.rules import check_name, check_slug
from kernel import ids
from kernel.authority import TEAM_NOT_FOUND, Role
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import ShipoffError, define

TEAM_SLUG_TAKEN = define("TEAM_SLUG_TAKEN", source="client", status=409, hint="choose another slug")
TEAM_IS_PERSONAL = define(
    "TEAM_IS_PERSONAL", source="client", status=409, hint="it belongs to its account and goes with it; use another team"
)
SQL: Final = load_queries("control.auth.teams")


@dataclass(frozen=True, slots=True)
class Team:
    """A team as somebody sees it.

    Attributes:
        personal_of: the account that it belongs to alone, else "".
        role: of the one who asks, else "".
    """

    id: str
    name: str
    slug: str
    personal_of: str
    created_at: datetime
    role: str


class Teams:
    """Makes, finds, changes and deletes teams."""

    def __init__(self, database: Database, owned: Owned, limits: Limits) -> None:
        self._database, self._owned, self._limits = database, owned, limits

    async def create(self, account_id: str, name: str, slug: str) -> Team:
        """Makes a team that the account owns.

        Raises:
            ShipoffError: TEAM_NAME_INVALID, TEAM_SLUG_INVALID, TEAM_SLUG_RESERVED, TEAM_SLUG_TAKEN or LIMIT_REACHED.
        """
        check_name(name)
        check_slug(slug)
        async with self._database.transaction() as tx:
            await admit(tx, account_id, self._limits)
            row = await tx.fetchrow(SQL["insert"], ids.new("tem"), name, slug)
            if row is None:
                raise TEAM_SLUG_TAKEN(f"the slug {slug!r} is taken")
            await tx.execute(SQL["add_member"], row["id"], account_id, Role.OWNER)
            after = {"name": name, "slug": slug, "owner": account_id}
            await record(tx, "team.create", team_id=row["id"], target=row["id"], after=after)
        return _team(row, Role.OWNER)

    async def find(self, id_or_slug: str, account_id: str) -> Team:
        """A team, as an account sees it.

        Raises:
            ShipoffError: TEAM_NOT_FOUND.
        """
        row = await self._database.fetchrow(SQL["find"], id_or_slug, account_id)
        if row is None:
            raise missing(id_or_slug)
        return _team(row, row["role"])

    async def mine(self, account_id: str) -> list[Team]:
        """An account's teams, by name."""
        return [_team(row, row["role"]) for row in await self._database.fetch(SQL["mine"], account_id)]

    async def update(self, team_id: str, name: str | None, slug: str | None) -> None:
        """Changes what is not None.

        Raises:
            ShipoffError: TEAM_NOT_FOUND, TEAM_NAME_INVALID, TEAM_SLUG_INVALID, TEAM_SLUG_RESERVED or TEAM_SLUG_TAKEN.
        """
        async with self._database.transaction() as tx:
            team = await lock(tx, team_id)
            before, after = _changes(team, {"name": name, "slug": slug})
            if "name" in after:
                check_name(after["name"])
            if "slug" in after:
                check_slug(after["slug"])
            now = {**team, **after}
            try:
                await tx.execute(SQL["update"], team_id, now["name"], now["slug"])
            except asyncpg.UniqueViolationError as error:
                raise TEAM_SLUG_TAKEN(f"the slug {slug!r} is taken") from error
            if after:
                await record(tx, "team.update", team_id=team_id, target=team_id, before=before, after=after)

    async def delete(self, team_id: str) -> None:
        """Deletes a team with its members, invitations and tokens; it is asked first whether it owns anything.

        Projects closes the team to new projects before we delete it. When we don't get to that, it stays closed and can
        be deleted by the next try.

        Raises:
            ShipoffError: TEAM_NOT_FOUND, TEAM_IS_PERSONAL or TEAM_HAS_PROJECTS.
        """
        team = await self.find(team_id, "")
        if team.personal_of:
            raise TEAM_IS_PERSONAL("a personal team can't be deleted")
        await self._owned.close(team.id)
        async with self._database.transaction() as tx:
            gone = await lock(tx, team.id)
            await tx.execute(SQL["delete"], team.id)
            before = {"name": gone["name"], "slug": gone["slug"]}
            await record(tx, "team.delete", team_id=team.id, target=team.id, before=before)


def missing(team: str) -> ShipoffError:
    """What is raised for a team that is not there, or not for the one who asks."""
    return TEAM_NOT_FOUND(f"there is no team {team[:80]!r}")


async def lock(tx: Transaction, team_id: str) -> Row:
    """Keeps other writers of a team and its members waiting until the transaction ends; returns id, name, slug and
    personal_of.

    Raises:
        ShipoffError: TEAM_NOT_FOUND.
    """
    row = await tx.fetchrow(SQL["lock"], team_id)
    if row is None:
        raise missing(team_id)
    return row


async def admit(tx: Transaction, account_id: str, limits: Limits) -> None:
    """Makes sure that an account may belong to one team more, until the transaction ends.

    Raises:
        ShipoffError: LIMIT_REACHED.
    """
    await tx.execute(SQL["lock_account"], account_id)
    check(await tx.fetchval(SQL["memberships"], account_id), limits.teams_per_account, "teams of the account")


def _changes(team: Row, wanted: dict[str, str | None]) -> tuple[dict[str, Any], dict[str, Any]]:
    after = {name: value for name, value in wanted.items() if value is not None and value != team[name]}
    return {name: team[name] for name in after}, after


def _team(row: Row, role: str) -> Team:
    plain = {name: row[name] for name in ("id", "name", "slug", "created_at")}
    return Team(**plain, personal_of=row["personal_of"] or "", role=role)
