"""What a worker counts and remembers for the rules of its routes."""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import TYPE_CHECKING

from router.core.buckets import Buckets
from router.core.passwords import Remembered
from router.core.reading import Reader
from router.core.retry import Budget
from router.core.rules import Lanes
from router.edge.lanes import LaneTable

if TYPE_CHECKING:
    from router.edge.context import Edge
    from router.settings import RouterSettings


class Guard:
    """The state behind all policies of a worker.

    Attributes:
        draw: gives the point of a weighted draw, from 0 to 1; a test puts a seeded one here.
        checking: passwords that are being checked in threads.
        budget: of the retries of releases that have left the table.
        many, gentle: the rule `concurrency` of requests that wait without one: for a connection; for an instance.
    """

    def __init__(self, edge: Edge) -> None:
        self.buckets = Buckets()
        self.passwords = Remembered()
        self.lanes = LaneTable(edge)
        self.budget = Budget()
        self.draw: Callable[[], float] = random
        self.checking = 0
        self.adopt(edge.settings)

    def adopt(self, settings: RouterSettings) -> None:
        """Works by these settings from now on."""
        queue = {"queue": settings.queue_size, "queue_s": settings.queue_s}
        self.many = Lanes(Reader({"limit": 1_000_000, **queue}, "settings"))
        self.gentle = Lanes(Reader({"limit": settings.hold_at_once, **queue}, "settings"))
