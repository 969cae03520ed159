"""Reading a stream without a group: every reader sees every entry (the live view of the gateway)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.errors import ShipoffError
from kernel.events import Envelope, Stream, decode
from kernel.streams.connection import BLOCK_MS, GONE

log = logging.getLogger(__name__)
BACKOFF_S: Final = 0.5
COUNT: Final = 100


async def follow(redis: Redis, stream: Stream, *, after: str = "$") -> AsyncIterator[Envelope]:
    """Yields the events of a stream for ever, going on after Redis was away.

    Entries that were appended while Redis could not be reached are read when it is back, unless it lost its data; a
    follower that must know the truth asks for it periodically. Malformed entries are logged and skipped.

    Args:
        redis: from `connect`.
        stream: which.
        after: an entry id; "$" begins with what is appended from now on.
    """
    position: str | bytes = after
    while True:
        try:
            if position == "$":
                position = await _newest(redis, stream)
            answer: Any = await redis.xread({stream: position}, count=COUNT, block=BLOCK_MS)
        except (RedisError, *GONE) as error:
            log.warning("following %s waits: %s", stream, error)
            await asyncio.sleep(BACKOFF_S)
            continue
        for entry_id, fields in answer[0][1] if answer else []:
            position = entry_id
            try:
                yield decode(fields[b"e"])
            except (ShipoffError, KeyError) as error:
                log.error("skipped entry %s of %s: %s", entry_id, stream, error)


async def _newest(redis: Redis, stream: str) -> bytes:
    newest: Any = await redis.xrevrange(stream, count=1)
    return bytes(newest[0][0]) if newest else b"0-0"
