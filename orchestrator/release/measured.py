"""What the routers measured of releases in a span of time: the stream `activity`, read back and added up.

Nothing is followed and nothing is remembered: the stream keeps its reports for long enough, so a reader that was killed
reads the same again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.activity import ReleaseActivity, read
from kernel.errors import UNAVAILABLE, ShipoffError
from kernel.events import ActivityReported, decode
from kernel.streams.connection import GONE

log = logging.getLogger(__name__)
PAGE: Final = 500
REPORT_S: Final = 1.0  # a router reports what it did in the second before


class Measurements:
    """Reads the routers' reports; times are in milliseconds by Redis' clock."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def now_ms(self) -> int:
        """The time by which reports are kept.

        Raises:
            ShipoffError: UNAVAILABLE.
        """
        try:
            seconds, micros = await self._redis.time()
        except (RedisError, *GONE) as error:
            raise UNAVAILABLE(f"Redis: {error}") from error
        return int(seconds) * 1000 + int(micros) // 1000

    async def since(self, start_ms: int, releases: set[str]) -> dict[str, ReleaseActivity]:
        """The sums of all reports from `start_ms` on, one for each of the releases.

        Raises:
            ShipoffError: UNAVAILABLE.
        """
        sums = {release: ReleaseActivity(release) for release in releases}
        after: str | bytes = str(start_ms)
        while True:
            try:
                entries: Any = await self._redis.xrange("activity", min=after, count=PAGE)
            except (RedisError, *GONE) as error:
                raise UNAVAILABLE(f"Redis: {error}") from error
            for one in (one for _, fields in entries for one in _told(fields)):
                if one.release in sums:
                    sums[one.release] = sums[one.release].add(one)
            if len(entries) < PAGE:
                return sums
            after = b"(" + entries[-1][0]


def _told(fields: dict[bytes, bytes]) -> Iterator[ReleaseActivity]:
    try:
        event = decode(fields[b"e"]).data
        if isinstance(event, ActivityReported):
            yield from [read(wire) for wire in event.releases]
    except (ShipoffError, KeyError, TypeError, ValueError) as error:
        log.error("a report of activity cannot be read: %r", error)
