"""What came for a project, and a way to have it done again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define

WEBHOOK_NOT_FOUND = define(
    "WEBHOOK_NOT_FOUND", source="client", status=404, hint="see what came: shipoff repo deliveries"
)
WEBHOOK_OPEN = define(
    "WEBHOOK_OPEN", source="client", status=409, hint="it waits or is being worked on; see it again in a moment"
)
SQL: Final = load_queries("control.projects.webhooks")
PAGE: Final = 20
PAGE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery, as one project sees it: `outcomes` are those of this project only."""

    id: str
    provider: str
    event: str
    delivery: str
    state: str
    attempts: int
    error: str
    received_at: datetime
    done_at: datetime | None
    bytes: int
    outcomes: list[dict[str, Any]]


class History:
    """Lists deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, project_id: str, limit: int = 0, before: str = "", only: str = "") -> list[Delivery]:
        """Newest first.

        Args:
            limit: 0 is 20, at most 100.
            before: those older than this id; "" is from the newest.
            only: this one; "" is all.
        """
        count = min(max(limit, 0) or PAGE, PAGE_MAX)
        rows = await self._database.fetch(SQL["list"], project_id, count, before, only)
        return [_delivery(row, project_id) for row in rows]

    async def get(self, project_id: str, delivery_id: str) -> Delivery:
        """One of a project's.

        Raises:
            ShipoffError: WEBHOOK_NOT_FOUND.
        """
        if found := await self.of(project_id, 1, only=delivery_id):
            return found[0]
        raise WEBHOOK_NOT_FOUND(f"the project has no delivery {delivery_id[:80]!r}")

    async def again(self, tx: Transaction, project_id: str, delivery_id: str) -> None:
        """Puts one that is over back into the queue, for this project; others of a shared repository are left alone.

        Raises:
            ShipoffError: WEBHOOK_NOT_FOUND, WEBHOOK_OPEN.
        """
        await self.get(project_id, delivery_id)
        if await tx.fetchval(SQL["again"], delivery_id, project_id) is None:
            raise WEBHOOK_OPEN("the delivery is not over")


def _delivery(row: Row, project_id: str) -> Delivery:
    values = {name: row[name] for name in Delivery.__slots__ if name != "outcomes"}
    return Delivery(**values, outcomes=[one for one in row["outcomes"] if one["project_id"] in ("", project_id)])
