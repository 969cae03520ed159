"""Keeps a release's endpoints record equal to its ready instances."""

from __future__ import annotations

from typing import Any, Final, Literal

from kernel.database import load_queries
from kernel.database.pool import Transaction
from orchestrator.routes import RouteTable

SQL: Final = load_queries("orchestrator")
Empty = Literal["asleep", "waking", "running"]


class Endpoints:
    """Writes records from the rows of `instances`, so that whoever writes last writes the truth."""

    def __init__(self, table: RouteTable) -> None:
        self._table = table

    async def publish(self, tx: Transaction, release_id: str, empty: Empty) -> int | None:
        """Makes the record name exactly the ready instances of the web process.

        Args:
            tx: what changed the rows, or one of its own.
            release_id: whose; a release that is not current (it was replaced meanwhile) is left alone.
            empty: the record's state when no instance is ready; one that has been woken since is not put back to sleep.

        Returns:
            The table's version from which on the record is so; None when the release is not current.
        """
        await tx.execute(SQL["lock_endpoints"], release_id)
        if not await tx.fetchval(SQL["is_current"], release_id):
            return None
        rows = await tx.fetch(SQL["ready_endpoints"], release_id)
        endpoints = [{"address": row["address"], "instance": row["id"], "weight": 1, "zone": ""} for row in rows]
        state = "running" if endpoints else empty
        if state == "asleep" and await tx.fetchval(SQL["is_roused"], release_id):
            state = "waking"
        record = await tx.fetchval(SQL["get_endpoints"], release_id)
        if record is not None and (record["state"], named(record)) == (state, {row["id"] for row in rows}):
            return int(record["version"])
        return await self._table.put_endpoints(tx, release_id, endpoints, state)


def named(record: dict[str, Any] | None) -> set[str]:
    """The instances that a record names."""
    return {endpoint["instance"] for endpoint in record["endpoints"]} if record else set()
