"""Records what people do with their own accounts in the audit log of their personal teams."""

from __future__ import annotations

from control.auth.audit.record import record
from control.auth.caller import Client
from kernel.audit import Fields
from kernel.authority import Kind, Principal, acting_as, current
from kernel.database.pool import Transaction


def personal_team(account_id: str) -> str:
    """The id of the team that an account has for itself."""
    return f"tem_{account_id[4:]}"


async def note(
    tx: Transaction,
    action: str,
    account_id: str,
    client: Client,
    *,
    target: str = "",
    before: Fields | None = None,
    after: Fields | None = None,
) -> None:
    """Writes a record in a transaction of the caller's.

    Args:
        tx: makes the change.
        action: noun first: "password.update".
        account_id: whose; also who did it. Where no session or token says so (signing in, links in mails) the record's
            kind of actor is "nobody", which is to say: whoever could.
        client: where the call came from.
        target: of the record, the account when "".
        before: fields as they were.
        after: fields as they are.
    """
    who = current()
    if who.account_id != account_id:
        who = Principal(Kind.NOBODY, account_id=account_id, address=client.address)
    with acting_as(who):
        await record(
            tx, action, team_id=personal_team(account_id), target=target or account_id, before=before, after=after
        )
