"""A0: keeps a worker's table equal to the truth: snapshot, then stream (design, section 7).

The snapshot in Redis is the truth, events are hints. Whatever is odd (a gap, another epoch, a stream that lost entries,
Redis back with less than it had) leads to one answer: the whole snapshot is read aside and swapped in, while the old
table serves. Without Redis the table stands still and nothing is pruned; a worker that starts then reads the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from datetime import datetime
from typing import Any, Final

import orjson
from redis.asyncio import Redis
from redis.asyncio.connection import BlockingConnectionPool
from redis.exceptions import RedisError, ResponseError

from kernel.errors import ShipoffError
from kernel.events import EndpointsDelete, EndpointsPut, RouteDelete, RoutePut, TableEpoch, decode
from kernel.tasks import spawn, stop
from router.core.records import EndpointsRecord, Route
from router.core.table import Table
from router.edge.context import Edge
from router.snapshot import Snapshot

log = logging.getLogger(__name__)

STREAM: Final = "routes"
REPORT_S: Final = 3.0
REPORT_TTL_S: Final = 10
_CHECK_S: Final = 30.0
_BLOCK_MS: Final = 2000
_BATCH: Final = 1000
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_BOOT_S: Final = 3.0
RouteEvent = RoutePut | RouteDelete | EndpointsPut | EndpointsDelete | TableEpoch


class _ResyncNeeded(Exception):
    """The stream and the table no longer fit together; the message says why."""


class Feed:
    """Follows the `routes` stream for one worker.

    Attributes:
        id: this worker's name in `routers:<id>`.
    """

    def __init__(self, edge: Edge, url: str, name: str, snapshot: Snapshot | None, replaces: str = "") -> None:
        self.id = name
        self._edge = edge
        self._redis: Redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                url, max_connections=3, timeout=5, socket_connect_timeout=2, socket_timeout=_BLOCK_MS / 1000 + 5
            )
        )
        self._snapshot = snapshot
        self._replaces = replaces
        self._cursor = b"0-0"
        self._poisoned = 0
        self._frozen = True
        self._current_at = time.monotonic()
        self._served = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        edge.table_age = self._age

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns when a table is served: from Redis, or from the file when Redis does not answer in time."""
        self._tasks.append(spawn(self._run(), "router.feed"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._served.wait(), _BOOT_S)
        if not self._served.is_set() and self._snapshot is not None:
            table = self._snapshot.load()
            if table is not None and not self._served.is_set():
                log.warning("Redis does not answer: serving the last known table, version %d", table.version)
                self._swap(table)
        await self._served.wait()
        self._tasks.append(spawn(self._report_regularly(), "router.report"))

    async def stop(self) -> None:
        """Stops following and takes the report back."""
        await stop(*self._tasks)
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await asyncio.wait_for(self._redis.delete(f"routers:{self.id}"), 1)
        await self._redis.aclose()

    def _age(self) -> tuple[float, bool]:
        return (time.monotonic() - self._current_at if self._frozen else 0.0), self._frozen

    async def _run(self) -> None:
        pause, synced = _FIRST_PAUSE_S, False
        while True:
            try:
                if not synced or await self._has_drifted():
                    await self._resync()
                    synced = True
                pause = _FIRST_PAUSE_S
                await self._follow()
            except _ResyncNeeded as why:
                log.warning("reading the whole table again: %s", why)
                synced = False
            except (RedisError, OSError, TimeoutError) as error:
                if not self._frozen:
                    log.warning(
                        "Redis is gone, the table stands still at version %d: %r", self._edge.table.version, error
                    )
                    self._current_at = time.monotonic()
                self._frozen = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    # --- the stream --------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        checked = time.monotonic()
        while True:
            answer = await self._redis.xread({STREAM: self._cursor}, count=_BATCH, block=_BLOCK_MS)
            self._frozen = False
            entries = _entries(answer)
            if entries:
                before = self._edge.table.version
                for entry, values in entries:
                    self._take(entry, values)
                if self._edge.table.version != before:
                    await self._report()
                    self._changed()
            elif time.monotonic() - checked > _CHECK_S:
                if await self._has_drifted():
                    raise _ResyncNeeded("the snapshot has moved on without events")
                checked = time.monotonic()

    def _take(self, entry: bytes, values: dict[bytes, bytes]) -> None:
        self._cursor = entry
        try:
            envelope = decode(values.get(b"e", b""))
            event = envelope.data
            if not isinstance(event, RouteEvent):
                raise _ResyncNeeded(f"an event of another stream, {event.TYPE}")
            self._apply(event)
            self._edge.metrics.events += 1
            self._edge.metrics.feed_lags.observe(_lag(envelope.at))
        except ShipoffError as error:
            self._edge.metrics.poisoned += 1
            self._poisoned += 1
            log.error("skipped event %s of the stream routes: %s", entry.decode(), error)

    def _apply(self, event: RouteEvent) -> None:
        """Applies one event.

        Raises:
            ShipoffError: its record is invalid; the table has still moved on to its version.
            _ResyncNeeded: it does not follow on what the table has.
        """
        table = self._edge.table
        if isinstance(event, TableEpoch) or event.epoch != table.epoch:
            if event.epoch == table.epoch and event.version <= table.version:
                return
            raise _ResyncNeeded(f"epoch {event.epoch}, not {table.epoch}")
        if event.version <= table.version:
            return  # the relay sends again what it is not sure of
        if event.version > table.version + 1 + self._poisoned:
            raise _ResyncNeeded(f"version {event.version} after {table.version}")
        table.version = event.version
        self._poisoned = 0
        self._change(table, event)

    def _change(self, table: Table, event: RouteEvent) -> None:
        """Changes the one record of an event, unless the snapshot brought a newer one already."""
        if isinstance(event, RoutePut):
            route = Route({**event.record, "version": event.version})
            before = table.route(route.host.decode(), route.path.decode())
            if before is None or before.version < event.version:
                table.put_route(route)
        elif isinstance(event, RouteDelete):
            before = table.route(event.host, event.path)
            if before is not None and before.version < event.version:
                table.delete_route(event.host, event.path)
        elif isinstance(event, EndpointsPut):
            record = EndpointsRecord({**event.record, "version": event.version})
            known = table.releases.get(record.id)
            if known is None or known.version < event.version:
                self._edge.retire(table.put_release(record))
        elif isinstance(event, EndpointsDelete):
            known = table.releases.get(event.release)
            if known is not None and known.version < event.version:
                self._edge.retire(table.delete_release(event.release))

    # --- the snapshot ------------------------------------------------------------------------------------------------

    async def _resync(self) -> None:
        """Reads the whole snapshot aside and swaps it in; gives up to the caller when the epoch changes meanwhile."""
        epoch, version, cursor, _ = await self._position()
        if not epoch and self._edge.table.epoch:
            self._frozen = True
            raise TimeoutError("Redis has no table: keeping ours until the orchestrator writes it")
        table = Table(epoch, version)
        async for fields in self._scan():
            self._fill(table, fields)
            await asyncio.sleep(0)  # requests go on between two batches
        if (await self._position())[0] != epoch:
            raise _ResyncNeeded("the epoch changed while the snapshot was read")
        self._cursor = cursor
        self._poisoned = 0
        self._frozen = False
        self._edge.metrics.resyncs += 1
        self._swap(table)
        await self._report()
        self._changed()

    async def _scan(self) -> Any:
        cursor = 0
        while True:
            cursor, fields = await self._redis.hscan("routes:table", cursor, count=_BATCH)
            yield fields
            if not int(cursor):
                return

    def _fill(self, table: Table, fields: dict[bytes, bytes]) -> None:
        for field, value in fields.items():
            try:
                record = orjson.loads(value)
                if field.startswith(b"r:"):
                    table.put_route(Route(record))
                elif field.startswith(b"e:"):
                    table.put_release(EndpointsRecord(record), known=self._edge.table)
            except (ShipoffError, orjson.JSONDecodeError, AttributeError) as error:
                self._edge.metrics.poisoned += 1
                log.error("skipped record %r of the snapshot: %s", field[:200], error)

    async def _position(self) -> tuple[str, int, bytes, bool]:
        """Epoch, version, the stream's last id, and whether entries stand behind ours; as of one moment."""
        async with self._redis.pipeline(transaction=True) as pipe:
            _ = pipe.get("routes:epoch")
            _ = pipe.get("routes:version")
            _ = pipe.xinfo_stream(STREAM)
            _ = pipe.xrange(STREAM, min=b"(" + self._cursor, count=1)
            epoch, version, stream, more = await pipe.execute(raise_on_error=False)
        for answer in (epoch, version, more):
            if isinstance(answer, Exception):
                raise answer
        if isinstance(stream, Exception):
            if not isinstance(stream, ResponseError) or "no such key" not in str(stream):
                raise stream
            stream = {"last-generated-id": b"0-0"}
        return (epoch or b"").decode(), int(version or 0), _last_id(stream), bool(more)

    async def _has_drifted(self) -> bool:
        """Whether Redis no longer holds what the table was built from (lost, replaced, or trimmed past us)."""
        epoch, version, last, more = await self._position()
        table = self._edge.table
        if epoch != table.epoch or version < table.version or _order(last) < _order(self._cursor):
            return True
        return version > table.version and not more

    # --- what follows a change ---------------------------------------------------------------------------------------

    def _swap(self, table: Table) -> None:
        old, self._edge.table = self._edge.table, table
        self._edge.retire(table.succeed(old))
        self._served.set()

    def _changed(self) -> None:
        if self._snapshot is not None:
            self._snapshot.changed()

    async def _report(self) -> None:
        table = self._edge.table
        report = {"epoch": table.epoch, "version": table.version, "pid": os.getpid(), "at": time.time()}
        await self._redis.set(f"routers:{self.id}", orjson.dumps(report), ex=REPORT_TTL_S)
        if self._replaces:
            await self._redis.delete(f"routers:{self._replaces}")
            self._replaces = ""

    async def _report_regularly(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._report()
            await asyncio.sleep(REPORT_S)


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries in an answer of XREAD, which is a list (RESP2) or a dict (RESP3) by stream."""
    if not answer:
        return []
    found = next(iter(answer.values())) if isinstance(answer, dict) else answer[0][1]
    if found and isinstance(found[0], list) and found[0] and isinstance(found[0][0], (tuple, list)):
        found = found[0]
    return [(entry, values) for entry, values in found]


def _lag(at: str) -> float:
    """Seconds since an event was made; machines' clocks differ, so never below 0."""
    try:
        return max(0.0, time.time() - datetime.fromisoformat(at).timestamp())
    except ValueError:
        return 0.0


def _last_id(stream: dict[Any, Any]) -> bytes:
    found = stream.get("last-generated-id", stream.get(b"last-generated-id", b"0-0"))
    return found if isinstance(found, bytes) else str(found).encode()


def _order(entry: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence or 0)
