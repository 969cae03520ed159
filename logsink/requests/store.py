"""Requests in Postgres: a batch is one transaction, a block one row; one batch is stored at a time.

Routers send a batch a second each, so nothing is grouped here; more than `WAITING` batches at once are refused, because
a router can wait better than we can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Final

from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from logsink import metrics
from logsink.receive.intake import LOGS_OVERLOADED
from logsink.requests import block, traffic
from logsink.requests.record import Page, Request, RequestBatch, RequestQuery
from logsink.requests.traffic import Traffic
from logsink.store.offload import off_loop
from logsink.store.postgres import SQL as LINES_SQL

SQL: Final = load_queries("logsink.requests")
WAITING: Final = 16
PAGE_BLOCKS: Final = 2000
PAGE_RAW_BYTES: Final = 32 << 20
BODIES_AT_ONCE: Final = 8


class RequestStore:
    """The requests of all projects."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def append(self, batch: RequestBatch) -> bool:
        """Returns once the batch is durable; False when it had been stored before.

        Raises:
            ShipoffError: LOGS_OVERLOADED, DATABASE_UNAVAILABLE.
        """
        if self._waiting >= WAITING:
            metrics.REQUEST_BATCHES.labels("refused").inc()
            raise LOGS_OVERLOADED(f"{self._waiting} batches of requests wait to be stored")
        self._waiting += 1
        try:
            async with self._turn:
                fresh = await self._store(batch)
        finally:
            self._waiting -= 1
        metrics.REQUEST_BATCHES.labels("stored" if fresh else "repeated").inc()
        return fresh

    async def _store(self, batch: RequestBatch) -> bool:
        blocks = await off_loop(batch.size, _encode, batch.requests)
        async with self._db.transaction() as tx:
            if not await tx.fetch(LINES_SQL["remember_batches"], [batch.producer], [batch.sequence]):
                return False
            if blocks:
                await tx.execute(SQL["insert_blocks"], *[list(column) for column in zip(*blocks, strict=True)])
            await traffic.count(tx, batch.requests)
        metrics.REQUESTS.inc(len(batch.requests))
        return True

    async def traffic(self, since_ms: int, after: tuple[str, date]) -> list[Traffic]:
        """Projects' sums that have changed, as `traffic.changed`.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE.
        """
        return await traffic.changed(self._db, since_ms, after)

    async def newest(self, query: RequestQuery) -> Page:
        """The newest requests of a range that are wanted, newest first.

        Raises:
            ShipoffError: DATABASE_UNAVAILABLE.
        """
        async with (
            self._db.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            bounds = (query.project_id, query.since_us, query.until_us, query.classes)
            rows = await connection.fetch(SQL["newest"], *bounds, PAGE_BLOCKS + 1)
            return await _Search(query, rows).run(connection)


class _Search:
    """One search, block after block.

    Attributes:
        horizon: nothing at or behind this time is left in blocks that were not looked at.
    """

    def __init__(self, query: RequestQuery, rows: Sequence[Row]) -> None:
        self._query = query
        self._rows = rows
        self._most = min(len(rows), PAGE_BLOCKS)  # the one behind tells only that there are more
        self._at = 0
        self._raw = 0
        self._found: list[Request] = []
        self.horizon = query.until_us

    async def run(self, connection: Transaction) -> Page:
        while self._at < self._most and not self._is_enough():
            some = self._rows[self._at : min(self._at + BODIES_AT_ONCE, self._most)]
            self._at += len(some)
            bodies = await connection.fetch(SQL["bodies"], [row["position"] for row in some])
            raw = sum(row["raw_bytes"] for row in some)
            self._raw += raw
            self._found += await off_loop(raw, _wanted, self._query, [row["body"] for row in bodies])
            left = self._at < len(self._rows)
            self.horizon = self._rows[self._at]["last_at_us"] + 1 if left else self._query.since_us
        return self._page()

    def _is_enough(self) -> bool:
        """Whether there are as many as were asked for, or more was read than one answer may; never without progress."""
        if self.horizon >= self._query.until_us:
            return False
        sure = sum(1 for one in self._found if one.at_us >= self.horizon)
        return sure >= self._query.limit or self._raw > PAGE_RAW_BYTES

    def _page(self) -> Page:
        limit = self._query.limit
        found = sorted(self._found, key=lambda one: one.at_us, reverse=True)
        sure = [one for one in found if one.at_us >= self.horizon]
        if len(sure) > limit:
            last = sure[limit - 1].at_us
            return Page([one for one in sure if one.at_us >= last], last)
        # More blocks around one instant than a search looks at (nobody writes so): go on rather than in circles.
        return Page(sure, min(self.horizon, self._query.until_us - 1) if self._at < len(self._rows) else 0)


def _encode(requests: Sequence[Request]) -> list[block.Block]:
    projects: dict[str, list[Request]] = {}
    for one in requests:
        projects.setdefault(one.served.project_id, []).append(one)
    return [block.encode(own) for own in projects.values()]


def _wanted(query: RequestQuery, bodies: Sequence[bytes]) -> list[Request]:
    return [
        one
        for body in bodies
        for one in block.decode(query.project_id, body)
        if query.since_us <= one.at_us < query.until_us
        and query.classes & 1 << one.status_class
        and query.id in ("", one.id)
    ]
