"""What a worker counts, as plain numbers; the supervisor adds them up and shows them (exposition.py).

No label ever holds a host, a path or a project: the number of series stays fixed.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
Numbers = dict[str, Any]

# name -> help; the plain counters and gauges of `Metrics`.
COUNTERS: Final = {
    "accepted": "client connections accepted",
    "dials": "upstream connections made",
    "dial_failures": "upstream connections that could not be made",
    "retries": "requests sent again to another connection",
    "tunnels": "connections upgraded",
    "aborted": "requests whose client went away or whose answer broke off",
    "received_bytes": "bytes of request bodies",
    "sent_bytes": "bytes of answer bodies",
    "static_hits": "static files served from memory",
    "static_misses": "static files read from the object store",
    "resyncs": "whole tables read from Redis",
    "events": "events applied to the table",
    "poisoned": "events or records that could not be understood",
    "log_dropped": "access log lines dropped because the writer was too slow",
}
GAUGES: Final = {
    "connections": "client connections open",
    "in_flight": "requests in flight",
    "tunnels_open": "upgraded connections open",
    "table_version": "version of the route table served",
    "table_hosts": "hosts in the route table",
    "table_frozen": "1 while the bus is gone and the table stands still",
    "table_age_seconds": "seconds since the table was last known to be current",
}
_WORST: Final = frozenset(("table_frozen", "table_age_seconds", "table_hosts"))


class Metrics:
    """The counters of one worker."""

    def __init__(self) -> None:
        self.statuses = [0] * 600
        self.errors: dict[str, int] = {}
        self.durations = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        for name in COUNTERS:
            setattr(self, name, 0)

    accepted: int
    dials: int
    dial_failures: int
    retries: int
    tunnels: int
    aborted: int
    received_bytes: int
    sent_bytes: int
    static_hits: int
    static_misses: int
    resyncs: int
    events: int
    poisoned: int
    log_dropped: int

    def answered(self, status: int, seconds: float) -> None:
        """Counts a request that got its whole answer."""
        self.statuses[status] += 1
        self.durations[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def failed(self, code: str) -> None:
        """Counts an answer of the router's own."""
        self.errors[code] = self.errors.get(code, 0) + 1

    def numbers(self, gauges: dict[str, float]) -> Numbers:
        """All counts, ready for JSON."""
        return {
            "counters": {name: getattr(self, name) for name in COUNTERS},
            "gauges": gauges,
            "statuses": {str(status): count for status, count in enumerate(self.statuses) if count},
            "errors": dict(self.errors),
            "durations": list(self.durations),
            "seconds": self.seconds,
        }


def add(one: Numbers, other: Numbers) -> Numbers:
    """The sum of two workers' numbers (gauges: the sum, or the worst where a sum means nothing)."""
    return {
        "counters": _sum(one["counters"], other["counters"]),
        "gauges": _gauges(one["gauges"], other["gauges"]),
        "statuses": _sum(one["statuses"], other["statuses"]),
        "errors": _sum(one["errors"], other["errors"]),
        "durations": [a + b for a, b in zip(one["durations"], other["durations"], strict=True)],
        "seconds": one["seconds"] + other["seconds"],
    }


def nothing() -> Numbers:
    """The numbers of a worker that has done nothing."""
    return Metrics().numbers({})


def without_gauges(numbers: Numbers) -> Numbers:
    """What stays of a worker that has ended."""
    return {**numbers, "gauges": {}}


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _gauges(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    if not one or not other:
        return one or other
    return {
        name: (min if name == "table_version" else max if name in _WORST else _plus)(one[name], other[name])
        for name in one
    }


def _plus(one: float, other: float) -> float:
    return one + other
