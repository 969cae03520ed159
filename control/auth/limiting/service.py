"""Counts tries in Redis, so that all auth processes count together; in memory while Redis is away."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from control.auth.limiting.rules import Rule
from kernel.errors import ShipoffError, define

log = logging.getLogger(__name__)
T = TypeVar("T")

TOO_MANY_ATTEMPTS = define("TOO_MANY_ATTEMPTS", source="client", status=429, retryable=True)
WAIT_S: Final = 1.0  # for Redis; a login must not hang on a counter
REST_S: Final = 5.0  # for which a Redis that failed is not asked again


class Limiter:
    """Takes one of the tries that a rule gives to somebody.

    Args:
        redis: None counts in memory alone.
    """

    def __init__(self, redis: Redis | None) -> None:
        self._memory = MovingWindowRateLimiter(MemoryStorage())
        self._shared: MovingWindowRateLimiter | None = None
        if redis is not None:
            pool = redis.connection_pool
            storage = RedisStorage("async+redis://", implementation="redispy", connection_pool=pool)  # type: ignore[arg-type]  # its stubs know no pools
            self._shared = MovingWindowRateLimiter(storage)
        self._rests_until = 0.0

    async def take(self, rule: Rule, *who: str) -> float:
        """Takes a try.

        Args:
            rule: what is tried.
            who: tries; kept as a hash, because it may be somebody's address.

        Returns:
            0 when it was free, else the seconds until the next one is.
        """
        item = RateLimitItemPerSecond(rule.times, rule.window_s, f"auth:{rule.name}")
        key = _key(who)

        async def ask(limiter: MovingWindowRateLimiter) -> float:
            if await limiter.hit(item, key):
                return 0.0
            resets_at = (await limiter.get_window_stats(item, key)).reset_time
            return min(max(resets_at - time.time(), 1.0), float(rule.window_s))

        return await self._counted(ask)

    async def require(self, rule: Rule, *who: str) -> None:
        """Takes a try, or refuses.

        Raises:
            ShipoffError: TOO_MANY_ATTEMPTS, with when to come back.
        """
        if wait_s := await self.take(rule, *who):
            raise refused(wait_s)

    async def forget(self, rule: Rule, *who: str) -> None:
        """Gives all tries back."""
        item = RateLimitItemPerSecond(rule.times, rule.window_s, f"auth:{rule.name}")

        async def ask(limiter: MovingWindowRateLimiter) -> None:
            await limiter.clear(item, _key(who))

        await self._counted(ask)

    async def _counted(self, ask: Callable[[MovingWindowRateLimiter], Awaitable[T]]) -> T:
        if self._shared is not None and time.monotonic() >= self._rests_until:
            try:
                async with asyncio.timeout(WAIT_S):
                    return await ask(self._shared)
            except (RedisError, OSError, TimeoutError) as error:
                self._rests_until = time.monotonic() + REST_S
                log.warning("tries are counted in memory for %.0f s: %s", REST_S, error)
        return await ask(self._memory)


def refused(wait_s: float) -> ShipoffError:
    """The error for somebody who has no tries left."""
    seconds = math.ceil(wait_s)
    return TOO_MANY_ATTEMPTS(
        "there were too many attempts", hint=f"try again in {seconds} seconds", retry_after_s=seconds
    )


def _key(who: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(who).encode()).hexdigest()[:32]
