"""A consumer group's member: serial per key, parallel across keys, acknowledged after the effect.

- The group begins at 0, so events from before the first start are handled.
- A handler that raises a retryable error (the database is away) is tried again for as long as it takes, with backoff;
  any other failure is tried `ATTEMPTS` times and then moved to `<stream>.dead` with the error. Meanwhile later events
  of the same key wait and those of other keys do not.
- What another member took and never acknowledged is claimed after `RECLAIM_MS` (XAUTOCLAIM).
- Delivery is at least once: handlers are idempotent (`first_time`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from kernel import tasks
from kernel.errors import ShipoffError
from kernel.events import Envelope, Stream, decode
from kernel.streams.connection import BLOCK_MS, GONE
from kernel.telemetry import traceparent

log = logging.getLogger(__name__)

Handler = Callable[[Envelope], Awaitable[None]]

ATTEMPTS: Final = 5
BACKOFF_S: Final = (0.1, 0.3, 1.0, 3.0, 5.0)
RECLAIM_MS: Final = 60_000
RECLAIM_EVERY_S: Final = 15.0
IN_FLIGHT: Final = 256  # entries read and not yet acknowledged; reading stops above it
GROUP_RETRY_S: Final = 0.5

HANDLED = Counter("shipoff_events_handled_total", "Events handled", ["stream", "group", "outcome"])


class Consumer:
    """Reads one stream for one group under one stable name, and hands each event to `handler`."""

    def __init__(self, redis: Redis, stream: Stream, group: str, name: str, handler: Handler) -> None:
        self._redis, self._stream, self._group, self._name = redis, stream, group, name
        self._handler = handler
        self._queues: dict[str, deque[tuple[bytes, Envelope]]] = {}
        self._held: set[bytes] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._workers: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins consuming in the background."""
        self._tasks = [
            tasks.spawn(self._forever(self._read), f"{self._group} reads {self._stream}"),
            tasks.spawn(self._forever(self._reclaim), f"{self._group} reclaims {self._stream}"),
        ]

    async def stop(self) -> None:
        """Stops; what was not acknowledged is delivered again, to this name first."""
        await tasks.stop(*self._tasks, *self._workers)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await self._ensure_group()
                await step()
            except ResponseError as error:
                # NOGROUP: Redis came back without its data. Anything else is a fault to be seen, and tried again.
                log.warning("%s on %s: %s", self._group, self._stream, error)
                await asyncio.sleep(GROUP_RETRY_S)
            except (RedisError, *GONE) as error:
                log.warning("%s waits for Redis: %s", self._group, error)
                await asyncio.sleep(GROUP_RETRY_S)
            except Exception:
                # A reader that ended would stop everything behind this stream, in silence.
                log.exception("%s on %s goes on after a fault", self._group, self._stream)
                await asyncio.sleep(GROUP_RETRY_S)

    async def _ensure_group(self) -> None:
        try:
            await self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _read(self) -> None:
        position: bytes | str = "0"  # first what this name took before it was restarted, then what is new
        while True:
            await self._room.wait()
            answer: Any = await self._redis.xreadgroup(
                self._group, self._name, {self._stream: position}, count=64, block=BLOCK_MS
            )
            entries = answer[0][1] if answer else []
            if position != ">":
                position = entries[-1][0] if entries else ">"
            for entry_id, fields in entries:
                await self._accept(entry_id, fields)

    async def _reclaim(self) -> None:
        while True:
            await asyncio.sleep(RECLAIM_EVERY_S)
            cursor: bytes | str = "0-0"
            while True:
                await self._room.wait()
                answer: Any = await self._redis.xautoclaim(
                    self._stream, self._group, self._name, RECLAIM_MS, start_id=cursor, count=64
                )
                cursor, entries = answer[0], answer[1]
                for entry_id, fields in entries:
                    await self._accept(entry_id, fields)
                if cursor in (b"0-0", "0-0"):
                    break

    async def _accept(self, entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        if entry_id in self._held:
            return  # read before, still being handled
        if not fields:
            await self._acknowledge(entry_id)  # trimmed while pending: nothing is left to handle
            return
        try:
            envelope = decode(fields.get(b"e", b""))
        except ShipoffError as error:
            await self._bury(entry_id, fields.get(b"e", b""), error)
            return
        self._held.add(entry_id)
        if len(self._held) >= IN_FLIGHT:
            self._room.clear()
        queue = self._queues.get(envelope.key)
        if queue is not None:
            queue.append((entry_id, envelope))
            return
        self._queues[envelope.key] = deque([(entry_id, envelope)])
        worker = tasks.spawn(self._work(envelope.key), f"{self._group} {envelope.key}")
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, key: str) -> None:
        queue = self._queues[key]
        try:
            while queue:
                entry_id, envelope = queue[0]
                await self._handle(entry_id, envelope)
                queue.popleft()
                self._release(entry_id)
        finally:
            for entry_id, _ in queue:  # only when cancelled
                self._release(entry_id)
            del self._queues[key]

    def _release(self, entry_id: bytes) -> None:
        self._held.discard(entry_id)
        if len(self._held) < IN_FLIGHT:
            self._room.set()

    async def _handle(self, entry_id: bytes, envelope: Envelope) -> None:
        traceparent.set(envelope.trace)
        tried = failed = 0
        while True:
            try:
                await self._handler(envelope)
                HANDLED.labels(self._stream, self._group, "ok").inc()
                await self._acknowledge(entry_id)
                return
            except Exception as error:
                tried += 1
                if not (isinstance(error, ShipoffError) and error.retryable):
                    failed += 1
                log.warning("%s failed on %s (%s)", self._group, envelope.id, error, exc_info=failed == ATTEMPTS)
                if failed >= ATTEMPTS:
                    await self._bury(entry_id, envelope.encode(), error)
                    return
            await asyncio.sleep(BACKOFF_S[min(tried, len(BACKOFF_S)) - 1])

    async def _acknowledge(self, entry_id: bytes) -> None:
        try:
            await self._redis.xack(self._stream, self._group, entry_id)
        except (RedisError, *GONE) as error:
            # The effect stands; the event comes again and its handler sees that it is done.
            log.warning("could not acknowledge %r: %s", entry_id, error)

    async def _bury(self, entry_id: bytes, raw: bytes, error: Exception) -> None:
        HANDLED.labels(self._stream, self._group, "dead").inc()
        log.error("%s: event %r goes to %s.dead: %s", self._group, entry_id, self._stream, error)
        pipe: Any
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xadd(
                f"{self._stream}.dead",
                {"e": raw, "id": entry_id, "group": self._group, "error": repr(error)[:1000]},
                maxlen=100_000,
            )
            pipe.xack(self._stream, self._group, entry_id)
            try:
                await pipe.execute()
            except (RedisError, *GONE) as lost:
                log.warning("could not bury %r: %s", entry_id, lost)
