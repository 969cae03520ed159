"""What a worker counts, as plain numbers; the supervisor adds them up (tally.py) and shows them (exposition.py).

No label ever holds a host, a path or a project: the number of series stays fixed.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

from kernel.errors import ErrorKind
from router.core.request import APP, ERROR, KINDS, WOKEN, Request

Numbers = dict[str, Any]

# name -> help; the plain counters and gauges of `Metrics`. Names as in router_<name>, without _total.
COUNTERS: Final = {
    "accepted": "client connections accepted",
    "accept_pauses": "times that a worker stopped accepting because it was full",
    "handshakes": "TLS handshakes that succeeded",
    "resumptions": "of these, those that resumed a session",
    "handshake_failures": "connections that ended before their TLS handshake did",
    "certificate_failures": "changes of certificate files that could not be used",
    "dials": "upstream connections made",
    "dial_failures": "upstream connections that could not be made",
    "reuses": "requests sent on a pooled upstream connection",
    "retries": "requests sent again to another connection",
    "retries_spent": "requests not sent again because their release's retry budget was empty",
    "ejections": "endpoints set aside",
    "readmissions": "endpoints taken back after a probe",
    "stale": "pooled upstream connections that the app had closed",
    "held": "requests that had to wait for a release without an instance",
    "wakes": "sleeping releases whose waking was asked for",
    "wakes_dropped": "the same, dropped because the bus was too slow",
    "reports": "reports of activity published",
    "reports_dropped": "the same, dropped because the bus did not take them",
    "tunnels": "connections upgraded",
    "aborted": "requests whose client went away or whose answer broke off",
    "received_bytes": "bytes of request bodies",
    "sent_bytes": "bytes of answer bodies",
    "static_hits": "static files served from memory",
    "static_misses": "static files read from the object store",
    "cache_hits": "requests answered from the response cache",
    "cache_stale": "of these, with an answer past its freshness",
    "cache_misses": "requests for which the response cache asked the app",
    "cache_revalidated": "stored answers that the app confirmed",
    "cache_coalesced": "requests that were answered by what another had asked for",
    "cache_passed": "requests of routes with a cache that it leaves alone",
    "cache_stored": "answers put into the response cache",
    "cache_evicted": "answers that left it for others",
    "resyncs": "whole tables read from Redis",
    "events": "events applied to the table",
    "poisoned": "events or records that could not be understood",
    "log_dropped": "access log records dropped by a worker because nobody took them in time",
}
GAUGES: Final = {
    "connections": "client connections open",
    "connections_max": "client connections that may be open",
    "doorways": "connections in their PROXY header or TLS handshake",
    "certificate_names": "names that certificates are served for",
    "in_flight": "requests in flight",
    "tunnels_open": "upgraded connections open",
    "pooled_connections": "idle upstream connections",
    "log_waiting": "access log records that wait in workers",
    "upstreams_open": "connections to apps, pooled ones included",
    "endpoints_aside": "endpoints set aside now",
    "waiting": "requests that wait for an instance",
    "cache_bytes": "bytes that the response cache holds in memory, about",
    "cache_objects": "answers that it holds there",
    "table_version": "version of the route table served",
    "table_hosts": "hosts in the route table",
    "table_frozen": "1 while the bus is gone and the table stands still",
    "table_age_seconds": "seconds since the table was last known to be current",
    "table_resync_seconds": "how long the last whole table took",
    "loop_lag_seconds": "the latest that a worker's clock ticked within the last seconds: how long callbacks wait",
}
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# name -> help; all in seconds with the bounds above.
HISTOGRAMS: Final = {
    "request_duration": "head to last byte",
    "first_byte": "head of a request to the head of the app's answer",
    "queue": "what requests waited in a queue or for a sleeping app, those that waited",
    "cold_start": "what requests waited for an app that had to be woken",
    "feed_lag": "from an event of the table to its effect",
}
_STATUSES: Final = 600
_WORST: Final = frozenset(
    (
        "certificate_names",
        "loop_lag_seconds",
        "table_age_seconds",
        "table_frozen",
        "table_hosts",
        "table_resync_seconds",
    )
)


def _zeros(count: int) -> array[int]:
    """Counters that are no Python objects where compiled: those cost an allocation each time."""
    return array("q", bytes(8 * count))


class Histogram:
    """Durations by bucket.

    Attributes:
        counts: one a bound of SECONDS and one above all.
        total: seconds.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = _zeros(len(SECONDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one duration."""
        at = 0
        for bound in SECONDS:  # most are in the first few
            if seconds <= bound:
                break
            at += 1
        self.counts[at] += 1
        self.total += seconds


class Metrics:
    """The counters of one worker."""

    def __init__(self) -> None:
        self.answers = _zeros(len(KINDS) * _STATUSES)
        self.errors: dict[str, int] = {}
        self.durations = Histogram()
        self.first_bytes = Histogram()
        self.queues = Histogram()
        self.cold_starts = Histogram()
        self.feed_lags = Histogram()
        self.resync_s = 0.0
        for name in COUNTERS:
            setattr(self, name, 0)

    accepted: int
    accept_pauses: int
    handshakes: int
    resumptions: int
    handshake_failures: int
    certificate_failures: int
    dials: int
    dial_failures: int
    reuses: int
    retries: int
    retries_spent: int
    ejections: int
    readmissions: int
    stale: int
    held: int
    wakes: int
    wakes_dropped: int
    reports: int
    reports_dropped: int
    tunnels: int
    aborted: int
    received_bytes: int
    sent_bytes: int
    static_hits: int
    static_misses: int
    cache_hits: int
    cache_stale: int
    cache_misses: int
    cache_revalidated: int
    cache_coalesced: int
    cache_passed: int
    cache_stored: int
    cache_evicted: int
    resyncs: int
    events: int
    poisoned: int
    log_dropped: int

    def answered(self, request: Request, ended: float) -> None:
        """Counts a request that got its whole answer.

        Args:
            ended: on the clock of `request.started`.
        """
        kind = request.kind
        at = kind * _STATUSES + request.status
        self.answers[at] += 1
        started = request.started
        self.durations.observe(ended - started)
        if kind == APP and request.first:
            self.first_bytes.observe(request.first - started)
        elif kind == WOKEN:
            self.cold_starts.observe(request.queued)
        if request.queued:
            self.queues.observe(request.queued)
        self.received_bytes += request.received
        self.sent_bytes += request.sent

    def unread(self, kind: ErrorKind) -> None:
        """Counts the answer to a head that could not be read."""
        self.answers[ERROR * _STATUSES + kind.status] += 1
        self.failed(kind.code)

    def failed(self, code: str) -> None:
        """Counts an answer of the router's own."""
        self.errors[code] = self.errors.get(code, 0) + 1

    def numbers(self, gauges: dict[str, float]) -> Numbers:
        """All counts, ready for JSON."""
        parts = (self.durations, self.first_bytes, self.queues, self.cold_starts, self.feed_lags)
        return {
            "counters": {name: getattr(self, name) for name in COUNTERS},
            "gauges": gauges,
            "answers": {
                f"{KINDS[at // _STATUSES]} {at % _STATUSES}": count for at, count in enumerate(self.answers) if count
            },
            "errors": dict(self.errors),
            "histograms": {name: [*part.counts, part.total] for name, part in zip(HISTOGRAMS, parts, strict=True)},
        }


def add(one: Numbers, other: Numbers) -> Numbers:
    """The sum of two workers' numbers (gauges: the sum, or the worst where a sum means nothing).

    A worker of an older or newer program may lack what the other has.
    """
    return {
        "counters": _sum(one["counters"], other["counters"]),
        "gauges": _gauges(one["gauges"], other["gauges"]),
        "answers": _sum(one["answers"], other["answers"]),
        "errors": _sum(one["errors"], other["errors"]),
        "histograms": _histograms(one["histograms"], other["histograms"]),
    }


def nothing() -> Numbers:
    """The numbers of a worker that has done nothing."""
    return Metrics().numbers({})


def without_gauges(numbers: Numbers) -> Numbers:
    """What stays of a worker that has ended."""
    return {**numbers, "gauges": {}}


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _histograms(one: dict[str, list[float]], other: dict[str, list[float]]) -> dict[str, list[float]]:
    empty = [0.0] * (len(SECONDS) + 2)
    return {
        name: [a + b for a, b in zip(one.get(name, empty), other.get(name, empty), strict=True)]
        for name in {**one, **other}
    }


def _gauges(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    if not one or not other:
        return one or other
    return {name: _combine(name, one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}


def _combine(name: str, one: float, other: float) -> float:
    if name == "table_version":
        return min(one, other)
    return max(one, other) if name in _WORST else one + other
