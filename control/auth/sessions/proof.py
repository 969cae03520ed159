"""Whether the holder of a session has proven lately who they are.

A copied access token is good for minutes. What outlives sessions (an API token, another way in) is given to those alone
who have signed in within the hour, so that a thief can't turn the minutes into years.
"""

from __future__ import annotations

from typing import Final

from control.auth.sessions.service import SESSION_NOT_FOUND, SQL
from kernel.authority import Kind, current
from kernel.database import Database
from kernel.database.pool import Transaction
from kernel.errors import define

PROOF_TOO_OLD = define(
    "PROOF_TOO_OLD", source="client", status=403, hint="sign in again (shipoff login), then repeat it within the hour"
)
RECENT_S: Final = 3600.0


async def require_recent(database: Database | Transaction) -> None:
    """Refuses a session whose holder proved too long ago who they are; API tokens have limits of their own.

    Raises:
        ShipoffError: PROOF_TOO_OLD; SESSION_NOT_FOUND when the session has ended.
    """
    who = current()
    if who.kind is not Kind.SESSION:
        return
    recent = await database.fetchval(SQL["is_recent"], who.credential_id, who.account_id, RECENT_S)
    if recent is None:
        raise SESSION_NOT_FOUND("the session has ended")
    if not recent:
        raise PROOF_TOO_OLD("this needs a sign-in that is less than an hour old")
