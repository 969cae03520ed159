"""What the routers report of releases, added up over routers and time: pure, on the caller's clock.

Reports are spread over the seconds that they speak of, so when they arrive matters little; of those that arrive all at
once, because the bus was away, only the first counts as load. A router that has not been
heard for `LOST_S` and did not say goodbye is taken for cut off rather than idle, for `FORGOTTEN_S`: until then the sums
are not `complete`. What is kept is a minute for each release that had a request in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kernel.activity import ReleaseActivity

KEPT_S: Final = 64  # the longest window, and what is still on its way
QUIET_S: Final = 3600.0  # a release without a request for so long is forgotten
LOST_S: Final = 5.0
FORGOTTEN_S: Final = 120.0


@dataclass(slots=True)
class _Series:
    """A release.

    Attributes:
        active_at: when it was last said to have a request.
        total: of all reports.
        seconds: request-seconds in each of the last seconds.
        noted: when each router's load was last counted.
    """

    active_at: float
    total: ReleaseActivity
    seconds: dict[int, float] = field(default_factory=dict)
    noted: dict[str, float] = field(default_factory=dict)


class Signals:
    """The sums."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self._heard: dict[str, float] = {}

    def note(
        self, router: str, releases: Iterable[ReleaseActivity], window_s: float, now: float, *, last: bool = False
    ) -> None:
        """Takes in one report.

        Args:
            router: the worker that sent it.
            releases: what it says; a worker without requests says nothing of any.
            window_s: the time that it speaks of, up to now.
            now: seconds.
            last: the worker stops.
        """
        self._heard[router] = now
        if last:
            del self._heard[router]
        for activity in releases:
            series = self._series.setdefault(activity.release, _Series(now, ReleaseActivity(activity.release)))
            series.active_at = now
            series.total = series.total.add(activity)
            if now - series.noted.get(router, -math.inf) > window_s / 2:
                series.noted[router] = now
                self._spread(series, activity.busy_s + activity.waiting * window_s, window_s, now)

    @staticmethod
    def _spread(series: _Series, busy_s: float, window_s: float, now: float) -> None:
        since = now - max(window_s, 0.001)
        for second in range(int(since), int(now) + 1):
            overlap = min(now, second + 1) - max(since, second)
            series.seconds[second] = series.seconds.get(second, 0.0) + busy_s * overlap / (now - since)
        series.seconds = {second: spent for second, spent in series.seconds.items() if second >= now - KEPT_S}
        series.noted = {router: at for router, at in series.noted.items() if at >= now - KEPT_S}

    def average(self, releases: Iterable[str], window_s: float, now: float) -> float:
        """Requests in flight or waiting, over the last whole seconds of the window and over all routers."""
        until = int(now)
        since = until - round(window_s)
        busy_s = 0.0
        for release in releases:
            series = self._series.get(release)
            if series is not None:
                busy_s += sum(spent for second, spent in series.seconds.items() if since <= second < until)
        return busy_s / round(window_s)

    def active_at(self, release: str) -> float | None:
        """When a release was last said to have a request; None when it was not lately."""
        series = self._series.get(release)
        return series.active_at if series is not None else None

    def total(self, release: str) -> ReleaseActivity:
        """All that was reported of a release; what one call has more than another is of the time between."""
        series = self._series.get(release)
        return series.total if series is not None else ReleaseActivity(release)

    def complete(self, now: float) -> bool:
        """Whether at least one router is heard and none that was heard lately has gone silent."""
        for router in [router for router, at in self._heard.items() if now - at > FORGOTTEN_S]:
            del self._heard[router]
        return bool(self._heard) and all(now - at <= LOST_S for at in self._heard.values())

    def forget(self, now: float) -> None:
        """Lets go of releases that have been quiet for long."""
        self._series = {name: series for name, series in self._series.items() if now - series.active_at < QUIET_S}
