"""Roles on single projects: they add to the role on the team, and let somebody in who is no member of it, a guest.

That a project is a team's is the service projects' to say (control/auth/owned.py); it is asked before a role is given.
"""

from __future__ import annotations

from typing import Final

from control.auth import limits as limit
from control.auth.audit.record import record
from control.auth.limits import Limits
from control.auth.members.service import MEMBER_NOT_FOUND, Member, member
from control.auth.owned import SQL as AUTH
from control.auth.owned import Owned
from control.auth.standing import require_rank
from control.auth.teams.service import SQL as TEAMS
from control.auth.teams.service import lock
from kernel.audit import Fields
from kernel.authority import Resource, Role
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.errors import define
from kernel.events import Envelope, ProjectDeleted, ProjectTransferred

MEMBER_EXISTS = define("MEMBER_EXISTS", source="client", status=409, hint="change the role instead")
MEMBER_UNKNOWN = define(
    "MEMBER_UNKNOWN", source="client", status=404, hint="invite them by their e-mail address: shipoff members invite"
)
SQL: Final = load_queries("control.auth.roles")


class ProjectRoles:
    """Gives and takes roles on projects."""

    def __init__(self, database: Database, owned: Owned, limits: Limits) -> None:
        self._database, self._owned, self._limits = database, owned, limits

    async def of(self, on: Resource) -> list[Member]:
        """All, in the order in which they came."""
        return [member(row) for row in await self._database.fetch(SQL["list"], on.project_id, on.team_id)]

    async def add(self, on: Resource, account_id: str, role: Role) -> Member:
        """Gives an account its first role on a project.

        Raises:
            ShipoffError: PROJECT_NOT_FOUND, TEAM_NOT_FOUND, MEMBER_UNKNOWN, MEMBER_EXISTS, ROLE_TOO_HIGH or
                LIMIT_REACHED.
        """
        async with self._database.transaction() as tx:
            await lock(tx, on.team_id)
            await self._owned.hold(tx, on.team_id, on.project_id)
            await require_rank(tx, on, role)
            if await _find(tx, on, account_id) is not None:
                raise MEMBER_EXISTS(f"{account_id[:80]!r} has a role on the project")
            await grant(tx, on, account_id, role, self._limits)
            return await _get(tx, on, account_id)

    async def change(self, on: Resource, account_id: str, role: Role) -> Member:
        """Gives another role.

        Raises:
            ShipoffError: PROJECT_NOT_FOUND, TEAM_NOT_FOUND, MEMBER_NOT_FOUND or ROLE_TOO_HIGH.
        """
        async with self._database.transaction() as tx:
            await lock(tx, on.team_id)
            await self._owned.hold(tx, on.team_id, on.project_id)
            before = await _get(tx, on, account_id)
            await require_rank(tx, on, before.role, role)
            await grant(tx, on, account_id, role, self._limits)
            return await _get(tx, on, account_id)

    async def remove(self, on: Resource, account_id: str) -> None:
        """Takes a role away.

        Raises:
            ShipoffError: TEAM_NOT_FOUND, MEMBER_NOT_FOUND or ROLE_TOO_HIGH.
        """
        async with self._database.transaction() as tx:
            await lock(tx, on.team_id)
            before = await _get(tx, on, account_id)
            await require_rank(tx, on, before.role)
            await tx.execute(SQL["remove"], on.project_id, on.team_id, account_id)
            await _record(tx, "project_member.delete", on, account_id, before={"role": before.role})

    async def apply(self, envelope: Envelope) -> None:
        """Handles an event of the stream `deployments`.

        With a project goes all that was given on it. To another team it takes the roles along, which people see there,
        but no token and no open invitation, of which nobody there knows.
        """
        match envelope.data:
            case ProjectDeleted(project_id):
                await self._forget(project_id, "forget_roles")
            case ProjectTransferred(project_id, team_id):
                await self._forget(project_id, "move_roles", team_id)

    async def _forget(self, project_id: str, roles: str, *more: str) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(AUTH["lock_project"], project_id)  # what is being given now is seen below
            await tx.execute(SQL[roles], project_id, *more)
            for name in ("forget_tokens", "forget_invitations"):
                await tx.execute(SQL[name], project_id)


async def grant(tx: Transaction, on: Resource, account_id: str, role: Role, limits: Limits) -> None:
    """Gives an account this role on a project, whatever it had; the caller holds the team's row.

    Raises:
        ShipoffError: MEMBER_UNKNOWN or LIMIT_REACHED.
    """
    if await tx.fetchval(TEAMS["lock_account"], account_id) is None:
        raise MEMBER_UNKNOWN(f"there is no account {account_id[:80]!r}")
    before = await _find(tx, on, account_id)
    if before is None:
        limit.check(await tx.fetchval(SQL["count"], on.project_id), limits.members_per_team, "members of the project")
        limit.check(await tx.fetchval(SQL["held"], account_id), limits.roles_per_account, "roles of the account")
    if before is not None and before.role is role:
        return
    await tx.execute(SQL["set"], on.project_id, on.team_id, account_id, role)
    if before is None:
        await _record(tx, "project_member.create", on, account_id, after={"role": role})
    else:
        await _record(tx, "project_member.update", on, account_id, before={"role": before.role}, after={"role": role})


async def _record(tx: Transaction, action: str, on: Resource, account_id: str, **fields: Fields | None) -> None:
    await record(tx, action, team_id=on.team_id, project_id=on.project_id, target=account_id, **fields)


async def _find(tx: Transaction, on: Resource, account_id: str) -> Member | None:
    row = await tx.fetchrow(SQL["get"], on.project_id, on.team_id, account_id)
    return None if row is None else member(row)


async def _get(tx: Transaction, on: Resource, account_id: str) -> Member:
    found = await _find(tx, on, account_id)
    if found is None:
        raise MEMBER_NOT_FOUND(f"{account_id[:80]!r} has no role on the project")
    return found
