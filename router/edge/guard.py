"""What a worker counts and remembers for the rules of its routes."""

from __future__ import annotations

from collections.abc import Callable
from random import random

from router.core.buckets import Buckets
from router.core.passwords import Remembered
from router.edge.lanes import LaneTable


class Guard:
    """The state behind all policies of a worker.

    Attributes:
        draw: gives the point of a weighted draw, from 0 to 1; a test puts a seeded one here.
        checking: passwords that are being checked in threads.
    """

    def __init__(self) -> None:
        self.buckets = Buckets()
        self.passwords = Remembered()
        self.lanes = LaneTable()
        self.draw: Callable[[], float] = random
        self.checking = 0
