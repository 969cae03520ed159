"""What all connections of a worker share: the table, the clock, the counters, and who is open."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from router.access_log import AccessLog
from router.core.balance import Endpoint
from router.core.idle import lasted
from router.core.table import Table
from router.core.trust import RequestIds, networks
from router.edge.guard import Guard
from router.edge.poller import Poller
from router.edge.probing import Prober
from router.metrics import Metrics
from router.settings import RouterSettings

if TYPE_CHECKING:
    from router.edge.server import Client
    from router.edge.static import StaticSites
    from router.edge.tunnel import Tunnel

TICK_S: Final = 0.25
_LAG_WINDOW_S: Final = 10.0
_RESERVED: Final = 256  # descriptors for everything that is no connection


class Edge:
    """The shared state of a worker.

    Attributes:
        table: the one immutable-by-record table; swapped by assignment.
        now: a coarse monotonic clock in seconds, moved by `tick`; good for deadlines, free to read.
        draining: no new work: answers carry `Connection: close`.
        date: the Date header line of this second.
        timed: answers carry Server-Timing.
        guard: what the rules of routes count and remember.
        prober: looks after endpoints that are set aside.
        upstreams: connections to apps, those that are being made included.
        wake: asks for a sleeping release, given its id and its record's version.
    """

    def __init__(self, settings: RouterSettings) -> None:
        self.settings = settings
        self.table = Table()
        self.metrics = Metrics()
        self.ids = RequestIds()
        self.networks = networks(settings.trusted)
        self.access_log = AccessLog() if settings.access_log or settings.logsink_address else None
        self.timed = settings.server_timing
        self.guard = Guard(self)
        self.prober = Prober(self)
        self.upstreams = 0
        self.most_upstreams = settings.upstream_connections
        self.wake: Callable[[str, int], None] = lambda release, version: None
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
            if not self.most_upstreams:
                self.most_upstreams = max(64, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVED) // 2)
            self._poller = Poller(asyncio.get_running_loop())
        return self._poller

    def close(self) -> None:
        """Closes every socket of the data path."""
        self.prober.close()
        self.guard.lanes.close()
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
                lasted(endpoint, self.settings.pool_idle_s)
                pooled.discard()
        if self.access_log is not None:
            self.metrics.log_dropped += self.access_log.take_dropped()

    def _notice_lag(self, now: float) -> None:
        """Keeps the worst lateness of this window and of the one before."""
        self._late = max(self._late, now - self.now - TICK_S)
        if now - self._late_since > _LAG_WINDOW_S:
            self._late_before, self._late, self._late_since = self._late, 0.0, now

    # --- connections to apps ------------------------------------------------------------------------------------------

    def has_room(self, endpoint: Endpoint) -> bool:
        """Whether one more connection may be made to an endpoint; an idle one elsewhere may give way to it."""
        if endpoint.open >= self.settings.endpoint_connections:
            return False
        return self.upstreams < self.most_upstreams or self._give_way()

    def _give_way(self) -> bool:
        for endpoint in self.pools:
            if endpoint.idle:
                next(iter(endpoint.idle)).discard()
                return True
        return False

    def opened(self, endpoint: Endpoint) -> None:
        """A connection to an endpoint is being made."""
        self.upstreams += 1
        endpoint.open += 1

    def closed(self, endpoint: Endpoint) -> None:
        """It is gone, or was never made."""
        self.upstreams -= 1
        endpoint.open -= 1
        if endpoint.wanted:
            self.guard.lanes.make_room(endpoint)

    def retire(self, endpoints: list[Endpoint]) -> None:
        """The table has changed: closes the idle connections of endpoints that have left; busy ones finish first."""
        for endpoint in endpoints:
            self.pools.discard(endpoint)
            for pooled in list(endpoint.idle):
                pooled.discard()
        self.guard.lanes.look()

    def gauges(self) -> dict[str, float]:
        """The state that metrics show beside the counters."""
        age, frozen = self.table_age()
        return {
            "connections": len(self.clients),
            "in_flight": self.in_flight,
            "tunnels_open": len(self.tunnels),
            "pooled_connections": sum(len(endpoint.idle) for endpoint in self.pools),
            "log_waiting": len(self.access_log) if self.access_log is not None else 0,
            "upstreams_open": self.upstreams,
            "endpoints_aside": self.prober.aside(),
            "waiting": self.guard.lanes.waiting(),
            "table_version": self.table.version,
            "table_hosts": len(self.table),
            "table_frozen": int(frozen),
            "table_age_seconds": age,
            "loop_lag_seconds": max(self._late, self._late_before),
        }
