"""What this worker does for each release between two reports: requests, failures, latencies, and how busy it is.

A report is taken every second (router/activity.py) and begins the next. Busyness is exact, not sampled: a request
takes the time of its beginning from `busy` and adds that of its end, so that with those still in flight counted up to
now the sum is the seconds that requests were in flight, however short they were.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from kernel.activity import BUCKETS, ReleaseActivity
from router.core.request import Request

_MOST: Final = 65_536  # releases; one more is counted under the name ""


class Activity:
    """One release in one worker.

    Attributes:
        in_flight: requests at its instances, upgraded connections included.
        busy: seconds; with `in_flight` times now, what they took since the last report.
        requests: that have ended, however.
        held: that had to wait for an instance.
        retried: that were sent again.
        failed: that got an error of the router's own, not for a fault of the client's.
        upstream_5xx: that got one from the app.
        latency: by bucket (kernel/activity.py), from the head to the app's first byte without the waiting for an
            instance.
    """

    __slots__ = ("busy", "failed", "held", "in_flight", "latency", "release", "requests", "retried", "upstream_5xx")

    def __init__(self, release: str, now: float) -> None:
        self.release = release
        self.in_flight = 0
        self.busy = 0.0
        self._restart(now)

    def _restart(self, now: float) -> None:
        self.busy = -self.in_flight * now
        self.requests = self.held = self.retried = self.failed = self.upstream_5xx = 0
        self.latency = array("q", bytes(8 * BUCKETS))

    def begin(self, now: float) -> None:
        """A request, or an upgraded connection, goes to an instance."""
        self.in_flight += 1
        self.busy -= now

    def leave(self, now: float) -> None:
        """It is over."""
        self.in_flight -= 1
        self.busy += now

    def end(self, request: Request, now: float) -> None:
        """Counts a request that is over, in whatever way.

        Args:
            now: on the clock of `request.started`.
        """
        request.activity = None
        self.requests += 1
        if request.attempts:
            self.in_flight -= 1
            self.busy += now
            if request.attempts > 1:
                self.retried += 1
            if request.first:
                self.latency[bucket(request.first - request.started - request.queued)] += 1
        if request.error and not 400 <= request.status < 500:
            self.failed += 1
        elif request.first and request.status >= 500:
            self.upstream_5xx += 1

    def take(self, now: float, waiting: int) -> ReleaseActivity | None:
        """What was done since the last call; None when that is nothing.

        Args:
            now: on the clock of `begin`.
            waiting: requests that wait for an instance at this moment.
        """
        if not (self.requests or self.in_flight or self.held or waiting):
            return None
        taken = ReleaseActivity(
            release=self.release,
            requests=self.requests,
            in_flight=self.in_flight,
            busy_s=round(max(0.0, self.busy + self.in_flight * now), 6),
            waiting=waiting,
            held=self.held,
            retried=self.retried,
            failed=self.failed,
            upstream_5xx=self.upstream_5xx,
            latency={index: count for index, count in enumerate(self.latency) if count},
        )
        self._restart(now)
        return taken


class Activities:
    """All releases that have done something since the last report."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: dict[str, Activity] = {}

    def of(self, release: str, now: float) -> Activity:
        """The release's; made when it is the first request since long."""
        found = self._all.get(release)
        if found is None:
            name = release if len(self._all) < _MOST else ""
            found = self._all.setdefault(name, Activity(name, now))
        return found

    def take(self, now: float, waiting: dict[str, int]) -> Iterator[ReleaseActivity]:
        """What each release has done, one after the other; who did nothing is forgotten.

        Args:
            waiting: requests that wait for an instance, by release.
        """
        names: Iterable[str] = dict.fromkeys((*self._all, *waiting))
        for name in list(names):
            taken = self.of(name, now).take(now, waiting.get(name, 0))
            if taken is not None:
                yield taken
            else:
                del self._all[name]


def bucket(seconds: float) -> int:
    """The bucket of a duration: four to each doubling, from a microsecond up; see kernel/activity.py."""
    micros = int(seconds * 1_000_000)
    if micros < 4:
        return max(0, micros)
    octave = 0
    while micros >= 8:
        micros >>= 1
        octave += 1
    return min(octave * 4 + micros, BUCKETS - 1)
