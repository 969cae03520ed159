"""Waits until every live router worker serves a version of the table.

A worker is live while its key `routers:<id>` exists (TTL 10 s). One that died is waited for until its key expires; one
that was cut off from Redis stops counting then, and goes on with the table it has.
"""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.errors import define
from kernel.streams.connection import GONE

ROUTERS_BEHIND = define(
    "ROUTERS_BEHIND", status=503, hint="a router is stuck or cannot reach Redis; see its /readyz and /metrics"
)
POLL_S: Final = (0.003, 0.005, 0.01, 0.02, 0.05)


class Acknowledgements:
    """Reads the workers' reports."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def wait(self, version: int, within_s: float) -> None:
        """Returns when at least one worker is live and all live ones serve `version` or a later one.

        Raises:
            ShipoffError: ROUTERS_BEHIND, naming who is missing, after `within_s` seconds.
        """
        loop = asyncio.get_running_loop()
        give_up, polls = loop.time() + within_s, 0
        while True:
            try:
                behind = await self._behind(version)
            except (RedisError, *GONE) as error:
                behind = [f"Redis: {error}"]
            if not behind:
                return
            if loop.time() > give_up:
                raise ROUTERS_BEHIND(f"version {version} is not served everywhere: {', '.join(behind)}")
            await asyncio.sleep(POLL_S[min(polls // 10, len(POLL_S) - 1)])
            polls += 1

    async def _behind(self, version: int) -> list[str]:
        keys = [key async for key in self._redis.scan_iter(match="routers:*", count=1000)]
        if not keys:
            return ["no router is live"]
        behind = []
        for key, raw in zip(keys, await self._redis.mget(keys), strict=True):
            if raw is None:
                continue  # expired between the two reads
            report = orjson.loads(raw)
            # Versions grow across epochs too, so a router in a newer epoch is ahead, not behind.
            if int(report["version"]) < version:
                behind.append(f"{key.decode()} serves {report['version']} of {report['epoch'] or 'no epoch'}")
        return behind
