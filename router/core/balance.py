"""Which instance gets a request: the power of two choices on requests in flight, and endpoints put aside for a while.

`Endpoint` is the one mutable thing behind the table: it lives as long as its address stands in any release's record, so
counts and pooled connections survive a change of the record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import random
from typing import Any, Final

_FIRST_ASIDE_S: Final = 0.5
_LONGEST_ASIDE_S: Final = 30.0


class Endpoint:
    """One address of one instance, and what this worker knows of it.

    Attributes:
        in_flight: requests that this worker has given it and that are not answered whole.
        failures: dials that failed since the last one that worked.
        aside_until: it is not picked before this time (seconds of the worker's clock) while others are there.
        gone: it has left the table: nothing new is sent there, nothing is pooled.
        idle: pooled connections, newest last; owned by edge/upstream.py.
    """

    __slots__ = ("address", "aside_until", "failures", "gone", "idle", "in_flight", "instance", "weight", "zone")

    def __init__(self, address: str, instance: str, weight: int = 1, zone: str = "") -> None:
        self.address = address
        self.instance = instance
        self.weight = weight
        self.zone = zone
        self.in_flight = 0
        self.failures = 0
        self.aside_until = 0.0
        self.gone = False
        self.idle: dict[Any, None] = {}

    def failed(self, now: float) -> None:
        """A dial failed: sets the endpoint aside, twice as long each time, up to 30 s."""
        self.aside_until = now + min(_FIRST_ASIDE_S * 2.0 ** min(self.failures, 16), _LONGEST_ASIDE_S)
        self.failures += 1

    def worked(self) -> None:
        """A dial worked: the endpoint is as good as any."""
        self.failures = 0
        self.aside_until = 0.0


def pick(endpoints: Sequence[Endpoint], now: float, tried: Collection[Endpoint] = ()) -> Endpoint | None:
    """Picks an endpoint.

    Args:
        tried: endpoints that have failed this very request; never picked again for it.

    Returns:
        None when there is none left. One that is set aside is picked when all others are too: never the last one out.
    """
    if len(endpoints) == 1 and not tried:
        return endpoints[0]
    usable = [e for e in endpoints if e.weight and e not in tried]
    healthy = [e for e in usable if e.aside_until <= now] or usable
    if not healthy:
        return None
    if len(healthy) == 1:
        return healthy[0]
    return _better_of_two(healthy)


def _better_of_two(endpoints: Sequence[Endpoint]) -> Endpoint:
    count = len(endpoints)
    first = int(random() * count)
    second = (first + 1 + int(random() * (count - 1))) % count
    one, other = endpoints[first], endpoints[second]
    return one if one.in_flight * other.weight <= other.in_flight * one.weight else other
