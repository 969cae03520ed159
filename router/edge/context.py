"""What all connections of a worker share: the table, the clock, the counters, and who is open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from router.access_log import AccessLog
from router.core.balance import Endpoint
from router.core.table import Table
from router.core.trust import RequestIds, networks
from router.edge.guard import Guard
from router.edge.poller import Poller
from router.metrics import Metrics
from router.settings import RouterSettings

if TYPE_CHECKING:
    from router.edge.server import Client
    from router.edge.static import StaticSites
    from router.edge.tunnel import Tunnel

TICK_S: Final = 0.25
_LAG_WINDOW_S: Final = 10.0


class Edge:
    """The shared state of a worker.

    Attributes:
        table: the one immutable-by-record table; swapped by assignment.
        now: a coarse monotonic clock in seconds, moved by `tick`; good for deadlines, free to read.
        draining: no new work: answers carry `Connection: close`.
        date: the Date header line of this second.
        timed: answers carry Server-Timing.
        guard: what the rules of routes count and remember.
    """

    def __init__(self, settings: RouterSettings) -> None:
        self.settings = settings
        self.table = Table()
        self.metrics = Metrics()
        self.ids = RequestIds()
        self.networks = networks(settings.trusted)
        self.access_log = AccessLog() if settings.access_log or settings.logsink_address else None
        self.timed = settings.server_timing
        self.guard = Guard()
        self.static: StaticSites | None = None
        self.clients: set[Client] = set()
        self.tunnels: set[Tunnel] = set()
        self.pools: set[Endpoint] = set()
        self.draining = False
        self.now = time.monotonic()
        self._late = self._late_before = 0.0
        self._late_since = self.now
        self.date = b""
        self._day_second = 0
        self.in_flight = 0
        self.table_age: Callable[[], tuple[float, bool]] = lambda: (0.0, False)
        self._poller: Poller | None = None
        self.tick()

    def streams(self) -> Poller:
        """The sockets of the running loop."""
        if self._poller is None:
            self._poller = Poller(asyncio.get_running_loop())
        return self._poller

    def close(self) -> None:
        """Closes every socket of the data path."""
        if self._poller is not None:
            self._poller.close()
            self._poller = None

    def tick(self) -> None:
        """Moves the clock and ends whatever is past its deadline; called every TICK_S."""
        now = time.monotonic()
        self._notice_lag(now)
        self.now = now
        second = int(time.time())
        if second != self._day_second:
            self._day_second = second
            self.date = b"Date: " + formatdate(second, usegmt=True).encode() + b"\r\n"
        for client in [c for c in self.clients if 0 < c.deadline < now]:
            client.expire()
        for tunnel in [t for t in self.tunnels if t.deadline < now]:
            tunnel.close()
        for endpoint in [e for e in self.pools if e.idle]:
            for pooled in [u for u in endpoint.idle if u.until < now]:
                pooled.discard()
        if self.access_log is not None:
            self.metrics.log_dropped += self.access_log.take_dropped()

    def _notice_lag(self, now: float) -> None:
        """Keeps the worst lateness of this window and of the one before."""
        self._late = max(self._late, now - self.now - TICK_S)
        if now - self._late_since > _LAG_WINDOW_S:
            self._late_before, self._late, self._late_since = self._late, 0.0, now

    def retire(self, endpoints: list[Endpoint]) -> None:
        """Closes the idle connections of endpoints that have left the table; busy ones finish first."""
        for endpoint in endpoints:
            self.pools.discard(endpoint)
            for pooled in list(endpoint.idle):
                pooled.discard()

    def gauges(self) -> dict[str, float]:
        """The state that metrics show beside the counters."""
        age, frozen = self.table_age()
        return {
            "connections": len(self.clients),
            "in_flight": self.in_flight,
            "tunnels_open": len(self.tunnels),
            "pooled_connections": sum(len(endpoint.idle) for endpoint in self.pools),
            "log_waiting": len(self.access_log) if self.access_log is not None else 0,
            "table_version": self.table.version,
            "table_hosts": len(self.table),
            "table_frozen": int(frozen),
            "table_age_seconds": age,
            "loop_lag_seconds": max(self._late, self._late_before),
        }
