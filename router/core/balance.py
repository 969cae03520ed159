"""Which instance gets a request: the power of two choices on requests in flight, past those that are set aside.

`Endpoint` is the one mutable thing behind the table: it lives as long as its address stands in any release's record, so
counts and pooled connections survive a change of the record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import random
from typing import Any


class Endpoint:
    """One address of one instance, and what this worker knows of it.

    Attributes:
        in_flight: requests that this worker has given it and that are not answered whole.
        open: connections to it, those that are being made included.
        gone: it has left the table: nothing new is sent there, nothing is pooled.
        idle: pooled connections, newest last; owned by edge/upstream.py.
        idle_s: for how long a pooled connection has been seen to last there (core/idle.py).
        learned_at: when that was last lowered.
        wanted: the id of the lane in which requests wait for a connection to it, or "" (edge/lanes.py).

    The rest belongs to core/health.py (seconds of the worker's clock):

        failures: dials that failed since the last one that worked.
        streak: failures of answers in a row; not 0 while the next answer matters.
        trial: it has come back and not yet proved itself.
        why: it was set aside, or "".
        aside_until: it is not picked before this time while others are there; `ends` is where its backoff ends.
        probe_at: when it is probed next.
        level, steady_at: how long the next backoff is, and when that begins anew.
    """

    __slots__ = (
        "address",
        "aside_until",
        "ends",
        "failures",
        "gone",
        "idle",
        "idle_s",
        "in_flight",
        "instance",
        "learned_at",
        "level",
        "open",
        "probe_at",
        "steady_at",
        "streak",
        "trial",
        "wanted",
        "weight",
        "why",
        "zone",
    )

    def __init__(self, address: str, instance: str, weight: int = 1, zone: str = "") -> None:
        self.address = address
        self.instance = instance
        self.weight = weight
        self.zone = zone
        self.in_flight = 0
        self.open = 0
        self.gone = False
        self.idle: list[Any] = []
        self.idle_s = float("inf")
        self.learned_at = 0.0
        self.wanted = ""
        self.failures = 0
        self.streak = 0
        self.trial = False
        self.why = ""
        self.aside_until = self.ends = self.probe_at = 0.0
        self.level = 0
        self.steady_at = 0.0

    def describe(self, now: float) -> dict[str, object]:
        """What the debug door shows."""
        return {
            "address": self.address,
            "instance": self.instance,
            "in_flight": self.in_flight,
            "open": self.open,
            "pooled": len(self.idle),
            "failures": self.failures,
            "streak": self.streak,
            "aside_s": round(max(0.0, self.aside_until - now), 3),
            "aside_why": self.why if self.aside_until > now else "",
            "on_trial": self.trial,
        }


def pick(endpoints: Sequence[Endpoint], now: float, tried: Collection[Endpoint] = ()) -> Endpoint | None:
    """Picks an endpoint.

    Args:
        tried: endpoints that have failed this very request; never picked again for it.

    Returns:
        None when there is none left. One that is set aside is picked when all others are too: never the last one out.
    """
    count = len(endpoints)
    if not tried and count:
        if count == 1:
            return endpoints[0]
        first = int(random() * count)
        one, other = endpoints[first], endpoints[(first + 1 + int(random() * (count - 1))) % count]
        if one.aside_until <= now and other.aside_until <= now and one.weight and other.weight:
            return _less_busy(one, other)
    usable = [e for e in endpoints if e.weight and e not in tried]
    healthy = [e for e in usable if e.aside_until <= now] or usable
    count = len(healthy)
    if not count:
        return None
    first = int(random() * count)
    return _less_busy(healthy[first], healthy[(first + 1 + int(random() * (count - 1))) % count])


def _less_busy(one: Endpoint, other: Endpoint) -> Endpoint:
    """By requests in flight for its weight; between equals the heavier one is likelier."""
    left, right = one.in_flight * other.weight, other.in_flight * one.weight
    if left == right and one.weight != other.weight:
        return one if random() * (one.weight + other.weight) < one.weight else other
    return one if left <= right else other
