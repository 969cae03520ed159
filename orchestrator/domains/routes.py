"""The routes of an environment: the one of its own host, and the same for each of its custom hosts.

Whatever is done to an environment's route, a flip, a canary's share, a rollback, is done through here, so custom hosts
have what the own host has: release, weights, rules. **Invariant**: a custom host has a route exactly while the own host
of its environment has one. All of it happens under the lock of the table, which also guards whose hosts are whose.
"""

from __future__ import annotations

from typing import Any, Final

from kernel.database import load_queries
from kernel.database.pool import Row, Transaction
from orchestrator.routes import SQL as TABLE_SQL
from orchestrator.routes import RouteTable

SQL: Final = load_queries("orchestrator.domains")
Json = dict[str, Any]


async def put(tx: Transaction, table: RouteTable, record: Json) -> int:
    """Adds or replaces the route of an environment's own host, and those of its custom hosts.

    Args:
        record: of the own host, as in ARCHITECTURE.md, without its version.

    Returns:
        The table's version with all of them.
    """
    version = await table.put_route(tx, record)
    for row in await tx.fetch(SQL["hosts_of"], record["project"], record["environment"]):
        version = await table.put_route(tx, _beside(record, row))
    return version


async def delete(tx: Transaction, table: RouteTable, project_id: str, environment: str, host: str) -> None:
    """Removes the route of an environment's own host, and those of its custom hosts."""
    await lock(tx)
    for row in await tx.fetch(SQL["hosts_of"], project_id, environment):
        await table.delete_route(tx, row["host"], "/")
    await table.delete_route(tx, host, "/")


async def renew(tx: Transaction, table: RouteTable, project_id: str, environment: str) -> None:
    """Makes the routes of an environment's custom hosts what its own host's is; the table is locked by the caller."""
    record = await tx.fetchval(SQL["own_route"], project_id, environment)
    for row in await tx.fetch(SQL["hosts_of"], project_id, environment):
        if record is None:
            await table.delete_route(tx, row["host"], "/")
        else:
            await table.put_route(tx, _beside(record, row))


async def lock(tx: Transaction) -> None:
    """Makes all others who change routes or hosts wait until the transaction ends."""
    await tx.fetchrow(TABLE_SQL["lock_table"])


def _beside(record: Json, row: Row) -> Json:
    """The route of a custom host."""
    if not row["location"]:
        return {**record, "host": row["host"]}
    # The rule keeps path and query; the route's own location is only what a record of this kind must have.
    rule = {"from": "/", "to": row["location"], "status": row["status"], "prefix": True}
    return {
        "host": row["host"],
        "path": "/",
        "project": record["project"],
        "environment": record["environment"],
        "kind": "redirect",
        "location": row["location"],
        "status": row["status"],
        "rules": {"redirects": [rule]},
    }
