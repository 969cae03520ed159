"""A project's rules: what its owner says of all its routes, beside what each commit of the repository says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from control.projects.catalog.service import lock
from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from kernel.route_rules import owner_rules

SQL: Final = load_queries("control.projects.routing")


class Routing:
    """Reads and replaces rules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, project_id: str) -> dict[str, Any]:
        """The rules of a project that exists; passwords are hashes."""
        return dict(await self._database.fetchval(SQL["get"], project_id) or {})

    async def replace(self, tx: Transaction, project_id: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces all rules; {} leaves those of the repository alone.

        Args:
            tx: of the caller's; the project is locked in it.

        Raises:
            ShipoffError: RULES_INVALID, PROJECT_NOT_FOUND.
        """
        rules = owner_rules(said)
        await lock(tx, project_id)
        await tx.execute(SQL["set"], project_id, rules)
        return rules
