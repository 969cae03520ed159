"""What the caller of this call is by now: of the database, where a passport may be a minute old.

Whether somebody may change members at all is the matrix's answer (kernel/authority). This is the rule beside it: nobody
gives or takes away a role above their own.
"""

from __future__ import annotations

from typing import Final

from kernel.authority import Kind, Resource, Role, current
from kernel.authority.permissions import role_on
from kernel.database import load_queries
from kernel.database.pool import Transaction
from kernel.errors import define

ROLE_INVALID = define("ROLE_INVALID", source="client", status=422, hint=f"use one of {', '.join(Role)}")
ROLE_TOO_HIGH = define(
    "ROLE_TOO_HIGH", source="client", status=403, hint="ask somebody whose role on the team is at least that one"
)
ACCOUNT_REQUIRED = define(
    "ACCOUNT_REQUIRED",
    source="client",
    status=403,
    hint="sign in, or use a token of yours that is not cut down to scopes or to a project",
)
SQL: Final = load_queries("control.auth")


def parse(role: str) -> Role:
    """The role of this name.

    Raises:
        ShipoffError: ROLE_INVALID.
    """
    try:
        return Role(role)
    except ValueError:
        raise ROLE_INVALID(f"{role[:40]!r} is not a role") from None


def whole_account() -> str:
    """The account that asks, with all that it may do.

    For what no permission in the matrix is about, because there is no team yet: a token that is cut down to something
    must not get around that by making a team of its own.

    Raises:
        ShipoffError: ACCOUNT_REQUIRED.
    """
    who = current()
    if not who.account_id or who.scopes is not None or who.only_project:
        raise ACCOUNT_REQUIRED("this is for an account itself")
    return who.account_id


async def role_of(tx: Transaction, account_id: str, on: Resource) -> Role | None:
    """The greater of an account's roles on a team and on a project of it."""
    row = await tx.fetchrow(SQL["roles_of"], account_id, on.team_id, on.project_id)
    held = [Role(role) for role in (row or {}).values() if role]
    return max(held, key=lambda role: role.rank, default=None)


async def role_of_caller(tx: Transaction, on: Resource) -> Role | None:
    """The caller's; the platform itself counts as an owner, a token of a project has what it was made with."""
    who = current()
    if who.kind is Kind.PLATFORM:
        return Role.OWNER
    return await role_of(tx, who.account_id, on) if who.account_id else role_on(who, on)[0]


async def require_rank(tx: Transaction, on: Resource, *roles: Role) -> None:
    """Refuses to touch roles above the caller's own.

    Raises:
        ShipoffError: ROLE_TOO_HIGH.
    """
    own = await role_of_caller(tx, on)
    for role in roles:
        if own is None or role.rank > own.rank:
            raise ROLE_TOO_HIGH(f"{role} is above {own or 'somebody who is no member any more'}")
