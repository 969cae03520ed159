"""Keeps Redis' copy of the route table equal to the database, whatever happens to Redis.

Once every few seconds the copy's epoch and version are compared with the database's. A copy that is missing, of
another epoch, or behind although the outbox is empty (Redis lost its last second, or all) is written anew: the whole
table aside, then one MULTI that swaps it in and tells every router to read it again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import orjson
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel import tasks
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.streams.connection import GONE
from orchestrator.routes import EPOCH, NEXT_TABLE, SQL, VERSION, RouteTable, endpoints_field, route_field

log = logging.getLogger(__name__)
EVERY_S: Final = 2.0
CHUNK: Final = 1000
REBUILT = Counter("shipoff_route_snapshot_rebuilt_total", "Times that the snapshot in Redis was written anew")


class Snapshot:
    """The reconciler. `settled` is set once the copy has been seen equal."""

    def __init__(self, database: Database, redis: Redis, table: RouteTable) -> None:
        self._database, self._redis, self._table = database, redis, table
        self._task: asyncio.Task[None] | None = None
        self.settled = asyncio.Event()

    def start(self) -> None:
        """Begins reconciling in the background."""
        self._task = tasks.spawn(self._run(), "route snapshot")

    async def stop(self) -> None:
        """Stops."""
        await tasks.stop(self._task)

    async def _run(self) -> None:
        while True:
            try:
                if await self.is_behind():
                    await self.rebuild()
                self.settled.set()
            except (ShipoffError, RedisError, *GONE) as error:
                log.warning("the route snapshot cannot be checked: %s", error)
            except Exception:  # this loop is what repairs Redis: it never ends
                log.exception("the route snapshot could not be checked")
            await asyncio.sleep(EVERY_S)

    async def is_behind(self) -> bool:
        """Whether Redis' copy can no longer become right by itself."""
        # In this order: a change that commits after the first read can only make the copy newer than `version`.
        row = await self._database.fetchrow(SQL["get_table"])
        assert row is not None  # noqa: S101 - the migration inserts the one row
        if await self._database.fetchval(SQL["pending_routes"]):
            return False  # the relay is on its way
        epoch, version = await self._redis.mget(EPOCH, VERSION)
        if row["epoch"] == "" or epoch != row["epoch"].encode():
            return True
        return int(version or 0) < int(row["version"])

    async def rebuild(self) -> None:
        """Writes the snapshot anew under a new epoch; changes of the table wait meanwhile.

        Of several orchestrators that find it behind, the first one does it: until its event has left, what it wrote
        aside is not to be touched, and then the copy is right.
        """
        async with self._database.transaction() as tx:
            await tx.fetchrow(SQL["lock_table"])
            if await tx.fetchval(SQL["pending_routes"]):
                return
            await self._redis.delete(NEXT_TABLE)
            chunk: dict[str, bytes] = {}
            count = 0
            async for row in tx.cursor(SQL["list_routes"], ""):
                chunk[route_field(row["host"], row["path"])] = orjson.dumps(row["record"])
                count += await self._write(chunk, CHUNK)
            async for row in tx.cursor(SQL["all_endpoints"]):
                chunk[endpoints_field(row["release_id"])] = orjson.dumps(row["record"])
                count += await self._write(chunk, CHUNK)
            count += await self._write(chunk, 1)
            await self._table.begin_epoch(tx, filled=count > 0)
        REBUILT.inc()
        log.info("wrote the route snapshot anew: %d records", count)

    async def _write(self, chunk: dict[str, bytes], at_least: int) -> int:
        if len(chunk) < at_least:
            return 0
        written = len(chunk)
        await self._redis.hset(NEXT_TABLE, mapping=chunk)  # type: ignore[arg-type]  # bytes are fine
        chunk.clear()
        return written
