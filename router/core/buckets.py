"""Rate limits: a token bucket per client, kept as one number each (GCRA), in a table with a bound."""

from __future__ import annotations

from collections.abc import Hashable


class Buckets:
    """The buckets of all limits of a worker.

    A bucket is the time at which it is full again. When the table is full, the bucket that was used longest ago is
    forgotten, so a flood of addresses cannot grow it.
    """

    def __init__(self, most: int = 65_536) -> None:
        self._most = most
        self._full_at: dict[Hashable, float] = {}

    def take(self, key: Hashable, rate: float, burst: float, now: float) -> float:
        """Takes a token.

        Args:
            key: limit and client.
            rate: tokens per second.
            burst: tokens that a full bucket holds, at least 1.
            now: seconds of any monotonic clock.

        Returns:
            0 when there was one, else the seconds until there will be.
        """
        full_at = max(self._full_at.pop(key, now), now)
        wait = full_at - now - (burst - 1) / rate
        if wait > 1e-9:
            self._full_at[key] = full_at
            return wait
        if len(self._full_at) >= self._most:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[key] = full_at + 1 / rate
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)
