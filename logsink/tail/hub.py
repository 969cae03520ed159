"""The hub: who watches which project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kernel.errors import UNAVAILABLE, define
from logsink import metrics
from logsink.lines import Query, Stored
from logsink.tail.follower import Follower

TOO_MANY_FOLLOWERS = define(
    "TOO_MANY_FOLLOWERS", source="client", status=429, retryable=True, hint="close a live view of this project"
)
FOLLOWERS_A_PROJECT: Final = 50
FOLLOWERS: Final = 500  # with 4 MiB each at worst


class Hub:
    """All live views of this process.

    Args:
        follower_bytes: text that may wait for one of them.
    """

    def __init__(self, follower_bytes: int) -> None:
        self._bytes = follower_bytes
        self._projects: dict[str, set[Follower]] = {}
        self._count = 0
        self._closed = False

    def publish(self, stored: Stored) -> None:
        """Offers lines to those who watch their project."""
        for follower in self._projects.get(stored.project_id, ()):
            follower.offer(stored)

    @contextmanager
    def follow(self, query: Query) -> Iterator[Follower]:
        """A follower for the length of the block.

        Raises:
            ShipoffError: TOO_MANY_FOLLOWERS, UNAVAILABLE while stopping.
        """
        if self._closed:
            raise UNAVAILABLE("the log service is stopping")
        watching = self._projects.get(query.project_id, set())
        if len(watching) >= FOLLOWERS_A_PROJECT or self._count >= FOLLOWERS:
            raise TOO_MANY_FOLLOWERS(f"{len(watching)} live views of this project are open, {self._count} in all")
        follower = Follower(query, self._bytes)
        self._projects.setdefault(query.project_id, watching).add(follower)
        self._counted(1)
        try:
            yield follower
        finally:
            watching.discard(follower)
            if not watching:
                self._projects.pop(query.project_id, None)
            self._counted(-1)

    def close(self) -> None:
        """Ends every view."""
        self._closed = True
        for watching in self._projects.values():
            for follower in watching:
                follower.close()

    def _counted(self, change: int) -> None:
        self._count += change
        metrics.FOLLOWERS.set(self._count)
