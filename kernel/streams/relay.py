"""The reading side of the transactional outbox: appends committed events to their streams, in order, at least once.

One relay per database works at a time (a session advisory lock); the others stand by. It wakes by NOTIFY, so an event
is on its stream within milliseconds of its commit, and looks every second in case a notification was lost.

A relay that is paused is cut off from the database after a while, and another one leads. What the paused one was about
to append when it wakes is stale by then: each batch goes only if Redis still has the relay's own name as the leader's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from typing import Any, Final

import asyncpg
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel import tasks
from kernel.database.pool import Database, Row, Transaction
from kernel.errors import ShipoffError
from kernel.streams.connection import GONE
from kernel.streams.outbox import CHANNEL

log = logging.getLogger(__name__)

BATCH: Final = 200
IDLE_S: Final = 1.0
BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
RETENTION_S: Final = 7 * 24 * 3600.0  # a consumer may be down this long without losing events
TRIM_EVERY_S: Final = 60.0
LOCK_KEY: Final = 0x0B0C5
SILENT_S: Final = 10.0  # a leader whose session is idle for this long is paused or cut off
_SILENCE_SQL: Final = f"set idle_session_timeout = {round(SILENT_S * 1000)}"
_BATCH_SQL: Final = "select position, stream, envelope, beside from outbox order by position limit $1"
_SENT_SQL: Final = "delete from outbox where position = any($1::bigint[])"
_FORGET_SQL: Final = "delete from consumed_events where at < now() - make_interval(secs => $1)"

RELAYED = Counter("shipoff_outbox_relayed_total", "Events appended to streams", ["stream"])
FAILING = Gauge("shipoff_outbox_failing", "1 while the outbox cannot be relayed")


class OutboxRelay:
    """Moves one database's outbox to Redis until stopped."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database, self._redis = database, redis
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trimmed_at = 0.0
        self._streams: set[str] = set()
        self._name = secrets.token_hex(8)

    def start(self) -> None:
        """Begins relaying in the background."""
        self._task = tasks.spawn(self._run(), "outbox relay")

    async def stop(self) -> None:
        """Stops; what is not sent stays in the table."""
        await tasks.stop(self._task)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async with self._database.connection() as connection:
                    if await connection.fetchval("select pg_try_advisory_lock($1)", LOCK_KEY):
                        await self._lead(connection)
                await asyncio.sleep(IDLE_S)
                failures = 0
            except Exception as error:
                # Whatever it is: what committed must leave. A connection that breaks in mid-statement raises almost
                # anything, so the expected kinds only decide how loudly it is said.
                FAILING.set(1)
                expected = isinstance(error, (ShipoffError, RedisError, asyncpg.InternalClientError, *GONE))
                if failures == 0 or not expected:
                    log.warning("the outbox waits: %s", error, exc_info=None if expected else error)
                await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1

    async def _lead(self, connection: Transaction) -> None:
        def notified(*_: object) -> None:
            self._wake.set()

        await connection.execute(_SILENCE_SQL)
        leader = f"outbox:{await connection.fetchval('select current_database()')}:leader"
        await self._redis.set(leader, self._name)
        await connection.add_listener(CHANNEL, notified)
        try:
            while True:
                self._wake.clear()
                while await self._send_batch(connection, leader):
                    pass
                FAILING.set(0)
                await self._trim(connection)
                try:
                    await asyncio.wait_for(self._wake.wait(), IDLE_S)
                except TimeoutError:
                    continue
        finally:
            # The lock goes with the connection's reset when the pool takes it back.
            with contextlib.suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
                await connection.remove_listener(CHANNEL, notified)

    async def _send_batch(self, connection: Transaction, leader: str) -> bool:
        rows = await connection.fetch(_BATCH_SQL, BATCH)
        if not rows:
            return False
        await self._append(rows, leader)
        await connection.execute(_SENT_SQL, [row["position"] for row in rows])
        return len(rows) == BATCH

    async def _append(self, rows: list[Row], leader: str) -> None:
        """Appends all or none, and none if another relay leads by now (WATCH: also if it begins to in this moment)."""
        pipe: Any
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(leader)
            if (name := await pipe.get(leader)) not in (self._name.encode(), None):
                raise RedisError(f"another relay leads: {name!r}")
            pipe.multi()
            pipe.set(leader, self._name)  # a Redis that lost its data is told again
            for row in rows:
                pipe.xadd(row["stream"], {"e": row["envelope"]})
                for command in row["beside"] or []:
                    pipe.execute_command(*command)
            await pipe.execute()
        for row in rows:
            self._streams.add(row["stream"])
            RELAYED.labels(row["stream"]).inc()

    async def _trim(self, connection: Transaction) -> None:
        now = time.time()
        if now - self._trimmed_at < TRIM_EVERY_S:
            return
        self._trimmed_at = now
        for stream in self._streams:
            await self._redis.xtrim(stream, minid=f"{int((now - RETENTION_S) * 1000)}-0", approximate=True)
        await connection.execute(_FORGET_SQL, RETENTION_S)
