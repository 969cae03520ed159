"""Who belongs to a team. The rules that no role gets around:

- nobody gives or takes away a role above their own (control/auth/standing.py);
- a team always has an owner: the last one neither leaves nor becomes less;
- the account of a personal team stays its owner.

All of them hold while others change the same team at the same moment, because whoever does holds the team's row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.auth import limits as limit
from control.auth.audit.record import record
from control.auth.limits import Limits
from control.auth.standing import require_rank
from control.auth.teams.service import SQL as TEAMS
from control.auth.teams.service import TEAM_IS_PERSONAL, admit, lock
from kernel.authority import Resource, Role
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define

MEMBER_NOT_FOUND = define(
    "MEMBER_NOT_FOUND", source="client", status=404, hint="see who there is: shipoff members list"
)
LAST_OWNER = define(
    "LAST_OWNER", source="client", status=409, hint="make somebody else an owner first: shipoff teams transfer"
)
SQL: Final = load_queries("control.auth.members")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a role.

    Attributes:
        in_team: false for a guest of a project.
    """

    account_id: str
    email: str
    name: str
    role: Role
    since: datetime
    in_team: bool


class Members:
    """Changes who belongs to a team."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, team_id: str) -> list[Member]:
        """All, in the order in which they came; limits.py bounds their number."""
        return [member(row) for row in await self._database.fetch(SQL["list"], team_id)]

    async def change(self, team_id: str, account_id: str, role: Role) -> Member:
        """Gives a member another role.

        Raises:
            ShipoffError: TEAM_NOT_FOUND, MEMBER_NOT_FOUND, ROLE_TOO_HIGH, LAST_OWNER or TEAM_IS_PERSONAL.
        """
        async with self._database.transaction() as tx:
            team = await lock(tx, team_id)
            await tx.execute(TEAMS["lock_account"], account_id)  # who is being deleted becomes no owner
            before = await _get(tx, team_id, account_id)
            await require_rank(tx, Resource(team_id), before.role, role)
            if role is not Role.OWNER:
                await _let_go(tx, team, before)
            await _set(tx, team_id, before, role)
            return await _get(tx, team_id, account_id)

    async def remove(self, team_id: str, account_id: str) -> None:
        """Ends a membership, and with it the account's roles on the team's projects.

        Raises:
            ShipoffError: TEAM_NOT_FOUND, MEMBER_NOT_FOUND, ROLE_TOO_HIGH, LAST_OWNER or TEAM_IS_PERSONAL.
        """
        async with self._database.transaction() as tx:
            team = await lock(tx, team_id)
            before = await _get(tx, team_id, account_id)
            await require_rank(tx, Resource(team_id), before.role)
            await _let_go(tx, team, before)
            await tx.execute(SQL["remove"], team_id, account_id)
            await tx.execute(SQL["remove_project_roles"], team_id, account_id)
            await record(tx, "member.delete", team_id=team_id, target=account_id, before={"role": before.role})

    async def transfer(self, team_id: str, owner_id: str, account_id: str) -> None:
        """Makes a member an owner and the present owner an admin.

        Raises:
            ShipoffError: TEAM_NOT_FOUND, MEMBER_NOT_FOUND, ROLE_TOO_HIGH or TEAM_IS_PERSONAL.
        """
        async with self._database.transaction() as tx:
            team = await lock(tx, team_id)
            if team["personal_of"]:
                raise TEAM_IS_PERSONAL("a personal team can't be transferred")
            await tx.execute(TEAMS["lock_account"], account_id)  # as in `change`
            old, new = await _get(tx, team_id, owner_id), await _get(tx, team_id, account_id)
            await require_rank(tx, Resource(team_id), Role.OWNER)
            if old.account_id != new.account_id:
                await _set(tx, team_id, new, Role.OWNER)
                await _set(tx, team_id, old, Role.ADMIN)
                before, after = {"owner": owner_id}, {"owner": account_id}
                await record(tx, "team.transfer", team_id=team_id, target=team_id, before=before, after=after)


async def join(tx: Transaction, team_id: str, account_id: str, role: Role, limits: Limits) -> Role:
    """Makes an account a member, or what it is more than it was; the caller holds the team's row.

    Returns:
        The role that it has now.

    Raises:
        ShipoffError: LIMIT_REACHED.
    """
    row = await tx.fetchrow(SQL["get"], team_id, account_id)
    had = Role(row["role"]) if row is not None else None
    if had is not None and had.rank >= role.rank:
        return had
    if had is None:
        limit.check(await tx.fetchval(SQL["count"], team_id), limits.members_per_team, "members of the team")
        await admit(tx, account_id, limits)
    await tx.execute(SQL["set"], team_id, account_id, role)
    if had is None:
        await record(tx, "member.create", team_id=team_id, target=account_id, after={"role": role})
    else:
        await record(
            tx, "member.update", team_id=team_id, target=account_id, before={"role": had}, after={"role": role}
        )
    return role


async def _get(tx: Transaction, team_id: str, account_id: str) -> Member:
    row = await tx.fetchrow(SQL["get"], team_id, account_id)
    if row is None:
        raise MEMBER_NOT_FOUND(f"{account_id[:80]!r} is no member")
    return member(row)


async def _let_go(tx: Transaction, team: Row, leaving: Member) -> None:
    """Refuses to let an owner go whom the team can't be without."""
    if leaving.role is not Role.OWNER:
        return
    if team["personal_of"] == leaving.account_id:
        raise TEAM_IS_PERSONAL("the account of a personal team stays its owner")
    if await tx.fetchval(SQL["owners"], team["id"]) < 2:
        raise LAST_OWNER("the team has no other owner")


async def _set(tx: Transaction, team_id: str, before: Member, role: Role) -> None:
    if before.role is not role:
        await tx.execute(SQL["set"], team_id, before.account_id, role)
        old, new = {"role": before.role}, {"role": role}
        await record(tx, "member.update", team_id=team_id, target=before.account_id, before=old, after=new)


def member(row: Row) -> Member:
    """Of a row with the columns of `list`."""
    plain = {name: row[name] for name in ("account_id", "email", "name", "in_team")}
    return Member(**plain, role=Role(row["role"]), since=row["created_at"])
