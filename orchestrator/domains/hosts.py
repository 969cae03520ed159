"""Whose a custom host is: takes the lists that the control plane tells, and routes by them at once.

A list is all that an environment has, and its number grows with every change on the whole platform. Lists of different
environments come in any order. A host goes to whom the list with the greatest number gives it. **Invariant**: a host is
one environment's, and moves only by a list with a greater number than that by which it came, even after it was given
up.
"""

from __future__ import annotations

from kernel.database.pool import Transaction
from kernel.events import DomainsChanged
from orchestrator.domains.routes import SQL, lock, renew
from orchestrator.routes import RouteTable


async def apply(tx: Transaction, table: RouteTable, event: DomainsChanged) -> bool:
    """Takes a list; False when it is not newer than what is known."""
    await lock(tx)
    place = (event.project_id, event.environment)
    if await tx.fetchval(SQL["accept_list"], *place, event.ordinal) is None:
        return False
    listed = [host["host"] for host in event.hosts]
    for row in await tx.fetch(SQL["give_up"], *place, listed):
        await table.delete_route(tx, row["host"], "/")
    for host in event.hosts:
        await tx.execute(SQL["take"], host["host"], *place, host["location"], host["status"], event.ordinal)
    await renew(tx, table, *place)
    await tx.execute(SQL["forget"])
    return True
