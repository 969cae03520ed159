"""How many requests an address and a credential may send: windows of a minute in Redis, shared by all gateways.

The windows slide (the `limits` library's sliding window counter: two counters a bucket). Without Redis each gateway
counts in its own memory, so that nobody can send without a limit by breaking Redis, and says so in a metric.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import Gauge
from redis.exceptions import RedisError

from kernel.errors import define

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

TOO_MANY_REQUESTS = define(
    "TOO_MANY_REQUESTS",
    source="client",
    status=429,
    retryable=True,
    hint="wait as long as Retry-After says, and send fewer requests a minute",
)
REDIS_S: Final = 0.5  # a slow Redis must not make every request slow
AWAY_S: Final = 5.0  # so long a Redis that failed is not asked
IN_MEMORY = Gauge("shipoff_gateway_limits_in_memory", "1 while requests are counted without Redis")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bucket stands after a request.

    Attributes:
        limit: requests a minute.
        remaining: that may still be sent.
        reset_s: until there is room for one more.
    """

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-06 writes it."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


class Limiter:
    """Counts.

    Args:
        redis: where.
    """

    def __init__(self, redis: Redis) -> None:
        shared = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="shipoff:limits",
            connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # as its documentation says
        )
        self._shared = SlidingWindowCounterRateLimiter(shared)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._away_until = 0.0

    async def hit(self, bucket: str, who: str, limit: int) -> Standing:
        """Counts a request.

        Args:
            bucket: name of the kind of limit.
            who: sends it.
            limit: requests a minute; 0 is no limit.

        Raises:
            ShipoffError: TOO_MANY_REQUESTS, which says when to come back.
        """
        if limit <= 0:
            return Standing(0, 0, 0)
        item = RateLimitItemPerMinute(limit)
        # an address or an id is no secret; hashed it has one length and no separators
        names = (bucket, hashlib.sha256(who.encode()).hexdigest()[:32])
        passed, standing = await self._count(item, names)
        if not passed:
            wait_s = max(standing.reset_s, 1)
            raise TOO_MANY_REQUESTS(f"more than {limit} requests a minute ({bucket})", retry_after_s=wait_s)
        return standing

    async def _count(self, item: RateLimitItemPerMinute, names: tuple[str, str]) -> tuple[bool, Standing]:
        if time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(REDIS_S):
                    counted = await _ask(self._shared, item, names)
                IN_MEMORY.set(0)
                return counted
            except (RedisError, OSError) as error:  # TimeoutError among them
                log.warning("requests are counted in memory for %.0f s: %r", AWAY_S, error)
                self._away_until = time.monotonic() + AWAY_S
                IN_MEMORY.set(1)
        return await _ask(self._own, item, names)


async def _ask(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, names: tuple[str, str]
) -> tuple[bool, Standing]:
    passed = await limiter.hit(item, *names)
    found = await limiter.get_window_stats(item, *names)
    reset_s = max(math.ceil(found.reset_time - time.time()), 0)
    return passed, Standing(item.amount, found.remaining, reset_s)
