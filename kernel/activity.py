"""What routers say of a release in `activity.reported`, and how latencies are counted: by buckets that can be added up.

Buckets are of microseconds, four to each doubling (as HdrHistogram's with two significant bits): 0, 1, 2, 3, then
[4,5) … [7,8), [8,10) … [14,16), [16,20) and so on, so a bucket is at most a quarter of its value wide. The last one is
everything above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

BUCKETS: Final = 112  # up to 2^29 us, nine minutes
Latency = dict[int, int]


@dataclass(frozen=True, slots=True)
class ReleaseActivity:
    """One release in one worker between two of its reports; or a sum of such.

    In sums over time `in_flight` and `waiting` mean nothing.

    Attributes:
        release: its id.
        requests: that have ended, however.
        in_flight: requests and upgraded connections at its instances at the end of the time.
        busy_s: request-seconds: by the length of the time divided, the average in flight.
        waiting: requests that wait for an instance at the end of the time.
        held: requests that had to wait for one.
        retried: that were sent again.
        failed: that got an error of the router's own, not for a fault of the client's.
        upstream_5xx: that got one from the app.
        latency: bucket -> requests, from the head to the app's first byte, the waiting for an instance left out.
    """

    release: str
    requests: int = 0
    in_flight: int = 0
    busy_s: float = 0.0
    waiting: int = 0
    held: int = 0
    retried: int = 0
    failed: int = 0
    upstream_5xx: int = 0
    latency: Latency = field(default_factory=dict)

    def wire(self) -> dict[str, Any]:
        """As in the event: what is zero is left out."""
        plain = {name: getattr(self, name) for name in _NUMBERS if getattr(self, name)}
        return {"release": self.release, **plain, "latency": list(self.latency.items())}

    def add(self, other: ReleaseActivity) -> ReleaseActivity:
        """The sum of two reports of one release."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        return ReleaseActivity(self.release, **sums, latency=merged(self.latency, other.latency))

    def since(self, before: ReleaseActivity) -> ReleaseActivity:
        """What an earlier sum lacks of this one."""
        rest = {name: getattr(self, name) - getattr(before, name) for name in _NUMBERS}
        latency = {index: count - before.latency.get(index, 0) for index, count in self.latency.items()}
        return ReleaseActivity(
            self.release, **rest, latency={index: count for index, count in latency.items() if count}
        )


_NUMBERS: Final = (
    "requests",
    "in_flight",
    "busy_s",
    "waiting",
    "held",
    "retried",
    "failed",
    "upstream_5xx",
)


def read(wire: Mapping[str, Any]) -> ReleaseActivity:
    """What `wire` has made; fields of a newer router are passed over.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    numbers = {name: wire[name] for name in _NUMBERS if name in wire}
    latency = {int(index): int(count) for index, count in wire.get("latency", ())}
    return ReleaseActivity(str(wire["release"]), **numbers, latency=latency)


def merged(one: Mapping[int, int], other: Mapping[int, int]) -> Latency:
    """The sum of two histograms."""
    return {index: one.get(index, 0) + other.get(index, 0) for index in {**one, **other}}


def lower_bound(index: int) -> int:
    """Where a bucket begins, in microseconds; it ends where the next begins."""
    if index < 4:
        return index
    octave = (index - 4) // 4
    return (index - octave * 4) << octave


def quantile(latency: Mapping[int, int], share: float) -> float:
    """The latency in seconds below which `share` of the requests are, evenly spread within its bucket; 0.0 of none."""
    rank, below = share * sum(latency.values()), 0.0
    for index in sorted(latency):
        count = latency[index]
        if below + count >= rank and count:
            start, stop = lower_bound(index), lower_bound(index + 1)
            return (start + (stop - start) * (rank - below) / count) / 1e6
        below += count
    return 0.0


def share_above(latency: Mapping[int, int], seconds: float) -> float:
    """The share of the requests that took longer, evenly spread within a bucket; 0.0 of none."""
    total, above, micros = sum(latency.values()), 0.0, seconds * 1e6
    for index, count in latency.items():
        start, stop = lower_bound(index), lower_bound(index + 1)
        above += count * min(1.0, max(0.0, (stop - micros) / (stop - start)))
    return above / total if total else 0.0
