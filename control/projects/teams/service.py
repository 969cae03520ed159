"""Whether a team may be given a project: not after auth has closed it.

Both sides take a lock that is named by the team, so a project that is being made at the same moment is either seen by
the one who closes, or finds the team closed. No project is left with a team that is gone.
"""

from __future__ import annotations

from typing import Final

from kernel.database import load_queries
from kernel.database.pool import Transaction
from kernel.errors import define

TEAM_HAS_PROJECTS = define(
    "TEAM_HAS_PROJECTS",
    source="client",
    status=409,
    hint="delete its projects first, or transfer them to another team",
)
TEAM_CLOSED = define("TEAM_CLOSED", source="client", status=409, hint="the team is being deleted; use another one")
SQL: Final = load_queries("control.projects.teams")


async def close(tx: Transaction, team_id: str) -> None:
    """Closes a team that owns nothing; it is no error when it is closed.

    Raises:
        ShipoffError: TEAM_HAS_PROJECTS.
    """
    await tx.execute(SQL["lock"], team_id)
    if count := await tx.fetchval(SQL["owned"], team_id):
        raise TEAM_HAS_PROJECTS(f"the team owns {count} project{'s' * (count != 1)}")
    await tx.execute(SQL["close"], team_id)
    await tx.execute(SQL["delete_hooks"], team_id)  # nobody is left who could


async def require_open(tx: Transaction, team_id: str) -> None:
    """Makes sure that a team may get a project, until the transaction ends.

    Raises:
        ShipoffError: TEAM_CLOSED.
    """
    await tx.execute(SQL["lock_shared"], team_id)
    if await tx.fetchval(SQL["is_closed"], team_id):
        raise TEAM_CLOSED("the team gets no projects any more")
