"""The log of deliveries: listed, shown with every attempt, and sent once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from control.projects.hooks.hook import Hook
from control.projects.hooks.notify import QUEUE
from control.projects.hooks.rules import PING
from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.errors import define

DELIVERY_NOT_FOUND = define(
    "DELIVERY_NOT_FOUND", source="client", status=404, hint="see which there are: shipoff hooks deliveries HOOK"
)
HOOK_INACTIVE = define(
    "HOOK_INACTIVE", source="client", status=409, hint="switch it on first: shipoff hooks update HOOK --on"
)
HOOK_QUEUE_FULL = define(
    "HOOK_QUEUE_FULL", source="client", status=429, retryable=True, hint="wait until some of them are delivered"
)
SQL: Final = load_queries("control.projects.hooks")
PAGE: Final = 20
PAGE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, as delivery_attempts keeps it."""

    number: int
    at: datetime
    request_headers: dict[str, str]
    status: int
    response_headers: dict[str, str]
    response_body: str
    error: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery; `log` is there where it was asked for."""

    id: str
    hook_id: str
    message_id: str
    type: str
    data: dict[str, Any]
    state: str
    attempts: int
    next_at: datetime
    created_at: datetime
    finished_at: datetime | None
    log: tuple[Attempt, ...] = ()


class Deliveries:
    """Reads and repeats; whose hook it is has been asked before (server.py)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recent(self, hook: Hook, limit: int = 0, before: str = "") -> list[Delivery]:
        """A hook's deliveries, newest first.

        Args:
            limit: how many; 0 is 20, at most 100.
            before: only those before this one, by its id.
        """
        count = min(limit, PAGE_MAX) if limit > 0 else PAGE
        return [_delivery(row) for row in await self._database.fetch(SQL["deliveries"], hook.id, before, count)]

    async def get(self, hook: Hook, delivery_id: str) -> Delivery:
        """One delivery with its attempts.

        Raises:
            ShipoffError: DELIVERY_NOT_FOUND.
        """
        found = await self._database.fetchrow(SQL["delivery"], delivery_id, hook.id)
        if found is None:
            raise DELIVERY_NOT_FOUND(f"there is no delivery {delivery_id[:80]!r}")
        rows = await self._database.fetch(SQL["attempts"], delivery_id)
        log = tuple(Attempt(**{name: row[name] for name in Attempt.__slots__}) for row in rows)
        return _delivery(found, log)

    async def redeliver(self, hook: Hook, delivery_id: str) -> Delivery:
        """Queues the message of a delivery once more, under the id that the receiver knows.

        Raises:
            ShipoffError: DELIVERY_NOT_FOUND, HOOK_INACTIVE, HOOK_QUEUE_FULL.
        """
        one = await self.get(hook, delivery_id)
        return await self._queue(hook, one.message_id, one.type, one.data)

    async def ping(self, hook: Hook) -> Delivery:
        """Queues a test.

        Raises:
            ShipoffError: HOOK_INACTIVE, HOOK_QUEUE_FULL.
        """
        data = {"team": {"id": hook.owner.team_id}, "hook": {"id": hook.id, "name": hook.name}}
        return await self._queue(hook, "", PING, data)

    async def _queue(self, hook: Hook, message_id: str, of_type: str, data: dict[str, Any]) -> Delivery:
        if not hook.active:
            raise HOOK_INACTIVE(f"{hook.id} is switched off")
        row = await self._database.fetchrow(
            SQL["enqueue_one"], ids.new("dlv"), hook.id, message_id, of_type, data, QUEUE
        )
        if row is None:
            raise HOOK_QUEUE_FULL(f"{QUEUE} deliveries wait for this hook")
        return _delivery(row)


def _delivery(row: Row, log: tuple[Attempt, ...] = ()) -> Delivery:
    return Delivery(**{name: row[name] for name in Delivery.__slots__ if name != "log"}, log=log)
