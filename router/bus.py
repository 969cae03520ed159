"""The router's side of Redis: where the table stands, its records, its stream, and what this worker reports.

Only questions and answers; what follows from them is decided in feed.py. Every command has a time limit.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from redis.asyncio import Redis
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from kernel.tasks import spawn, stop
from router.core.changes import MOST_BYTES
from router.core.table import Table

STREAM: Final = "routes"
HASH: Final = "routes:table"
REPORT_TTL_S: Final = 10
BLOCK_S: Final = 2.0
GONE: Final = (RedisError, OSError, TimeoutError)  # what a Redis that is away, fails over or refuses us raises
_DEAD: Final = f"{STREAM}.dead"
_GROUP: Final = "routers"
_EVENTS: Final = 100
_RECORDS, _RECORDS_AT_START = 500, 5000  # a reply is read in one step, which may be long while nothing is served yet
_MOST_DEAD: Final = 100_000
_REMEMBERED_S: Final = 7 * 24 * 3600  # as long as the stream keeps an event
# Every worker of every router meets the same poison; the first one buries it.
_BURY: Final = """
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[6]) then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], '*',
    'e', ARGV[1], 'id', ARGV[2], 'group', ARGV[3], 'error', ARGV[4])
end"""
Entry = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Position:
    """Where Redis stands, as of one moment.

    Attributes:
        epoch: "" when Redis has no table.
        last: id of the stream's last entry.
        more: whether entries stand behind the cursor that was asked for.
    """

    epoch: str
    version: int
    last: bytes
    more: bool


@dataclass(frozen=True, slots=True)
class Poison:
    """An event that could not be applied."""

    entry: bytes
    raw: bytes
    error: str


class Bus:
    """One worker's connection.

    Attributes:
        id: this worker's name in `routers:<id>`.

    Args of the constructor:
        admin: host:port of the router's admin door, where others may ask it; "" for none.
    """

    def __init__(self, url: str, name: str, admin: str = "") -> None:
        self.id = name
        self._admin = admin
        self._redis: Redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                url,
                max_connections=3,
                timeout=5,
                socket_connect_timeout=2,
                socket_timeout=BLOCK_S + 5,
                # A connection that broke may have been the old server's: the feed must hear of it and look again.
                retry=Retry(NoBackoff(), 0),
            )
        )

    async def close(self) -> None:
        """Ends the connections."""
        await self._redis.aclose()

    async def position(self, cursor: bytes) -> Position:
        """Asks where Redis stands.

        Raises:
            One of GONE.
        """
        async with self._redis.pipeline(transaction=True) as pipe:
            _ = pipe.mget("routes:epoch", "routes:version")
            _ = pipe.xinfo_stream(STREAM)
            _ = pipe.xrange(STREAM, min=b"(" + cursor, count=1)
            names, stream, more = await pipe.execute(raise_on_error=False)
        for answer in (names, more):
            if isinstance(answer, Exception):
                raise answer
        if isinstance(stream, Exception):
            if not isinstance(stream, ResponseError) or "no such key" not in str(stream):
                raise stream
            stream = {}
        return Position((names[0] or b"").decode(), _whole(names[1]), _last_id(stream), bool(more))

    async def records(self, serving: bool) -> AsyncIterator[dict[bytes, bytes]]:
        """Scans the snapshot: what stands there throughout comes at least once, in the form of some moment of it.

        Args:
            serving: requests wait meanwhile, so the steps are small.
        """
        count = _RECORDS if serving else _RECORDS_AT_START
        ahead = spawn(self._scan(0, count), "router.scan")
        try:
            while True:
                answer = await ahead
                if isinstance(answer, Exception):
                    raise answer
                cursor, fields = answer
                if cursor:
                    ahead = spawn(self._scan(cursor, count), "router.scan")  # Redis works while we do
                yield fields
                if not cursor:
                    return
        finally:
            await stop(ahead)

    async def _scan(self, cursor: int, count: int) -> tuple[int, dict[bytes, bytes]] | Exception:
        """The next cursor and fields; or what went wrong, as nobody may ever ask a task that runs ahead."""
        try:
            answer: Any = await self._redis.hscan(HASH, cursor, count=count)
        except GONE as error:
            return error
        return int(answer[0]), answer[1]

    async def events(self, cursor: bytes) -> list[Entry]:
        """Entries behind a cursor; waits for one, at most BLOCK_S seconds. Id and envelope each."""
        answer = await self._redis.xread({STREAM: cursor}, count=_EVENTS, block=int(BLOCK_S * 1000))
        return _entries(answer)

    async def report(self, table: Table, replaces: str = "") -> None:
        """Tells the orchestrator what this worker serves.

        Args:
            replaces: the id of a dead worker whose report goes.
        """
        served = {"epoch": table.epoch, "version": table.version}
        report = {**served, "pid": os.getpid(), "at": time.time(), "admin": self._admin}
        await self._redis.set(f"routers:{self.id}", orjson.dumps(report), ex=REPORT_TTL_S)
        if replaces:
            await self._redis.delete(f"routers:{replaces}")

    async def take_back(self) -> None:
        """Removes the report."""
        await self._redis.delete(f"routers:{self.id}")

    async def bury(self, letters: Sequence[Poison]) -> None:
        """Puts events into `routes.dead`, where `shipoff dead-letters` finds them; each once, whoever else does too."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in letters:
                keys = (_DEAD, f"{_DEAD}:{one.entry.decode()}")
                more = (one.entry, _GROUP, one.error[:1000], _MOST_DEAD, _REMEMBERED_S)
                _ = pipe.eval(_BURY, len(keys), *keys, one.raw[:MOST_BYTES], *more)
            await pipe.execute()


def order(entry: bytes) -> tuple[int, int]:
    """What stream ids are compared by."""
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence or 0)


def _whole(version: bytes | None) -> int:
    try:
        return int(version or 0)
    except ValueError:
        raise ResponseError("routes:version is not a number") from None


def _entries(answer: Any) -> list[Entry]:
    """The entries in an answer of XREAD, which is a list (RESP2) or a dict (RESP3) by stream."""
    if not answer:
        return []
    found = next(iter(answer.values())) if isinstance(answer, dict) else answer[0][1]
    if found and isinstance(found[0], list) and found[0] and isinstance(found[0][0], (tuple, list)):
        found = found[0]
    return [(entry, values.get(b"e", b"")) for entry, values in found]


def _last_id(stream: dict[Any, Any]) -> bytes:
    found = stream.get("last-generated-id", stream.get(b"last-generated-id", b"0-0"))
    return found if isinstance(found, bytes) else str(found).encode()
