"""The Redis client that everybody uses: bounded waits, RESP2 shapes, bytes."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

COMMAND_S: Final = 10.0  # longer than any BLOCK that we ask for, so that a silent server is noticed
BLOCK_MS: Final = 5_000
GONE: Final = (RedisConnectionError, RedisTimeoutError, OSError)  # what a server that went away raises


def connect(url: str) -> Redis:
    """A client for `redis://…`, `rediss://…` or `unix:///path?password=…`; it connects when first used.

    One immediate retry replaces a pooled connection that the server closed; everything else is the caller's to decide.
    """
    return Redis.from_url(
        url,
        protocol=2,
        socket_timeout=COMMAND_S,
        socket_connect_timeout=2.0,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=0,
    )
