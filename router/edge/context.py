"""What all connections of a worker share: the table, the clock, the counters, and who is open."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from router.access_log.lines import line_log
from router.access_log.noted import AccessLog
from router.access_log.packing import pack
from router.cloudflare import trust_of
from router.core.activity import Activities
from router.core.balance import Endpoint
from router.core.certificates import Certificates
from router.core.idle import lasted
from router.core.request_ids import RequestIds
from router.core.table import Table
from router.core.waits import Waits
from router.edge.guard import Guard
from router.edge.poller import Poller
from router.edge.polling import LoopPoller
from router.edge.probing import Prober
from router.metrics import Metrics
from router.settings import RouterSettings

if TYPE_CHECKING:
    from router.edge.caching.responses import ResponseCache
    from router.edge.doorway import Doorway
    from router.edge.server import Client
    from router.edge.static import StaticSites
    from router.edge.tunnel import Tunnel

TICK_S: Final = 0.25
_LAG_WINDOW_S: Final = 10.0
_RESERVED: Final = 256  # descriptors for everything that is no connection


class Edge:
    """The shared state of a worker.

    Attributes:
        waits: those of the settings, as plain numbers for every request.
        table: the one immutable-by-record table; swapped by assignment.
        now: a coarse monotonic clock in seconds, moved by `tick`; good for deadlines, free to read.
        activities: what each release does, for the report (router/activity.py).
        draining: no new work: answers carry `Connection: close`.
        date: the Date header line of this second.
        timed: answers carry Server-Timing.
        responses: the response cache; None in a worker that has none.
        guard: what the rules of routes count and remember.
        prober: looks after endpoints that are set aside.
        upstreams: connections to apps, those that are being made included.
        wake: asks for a sleeping release, given its id and its record's version.
        trust: whose word is taken about the client.
        certificates: what TLS clients are served.
        most_clients: client connections that may be open; the rest of the descriptors is for upstreams.
        doorways: connections that have not come in yet (edge/doorway.py), the oldest first.
    """

    def __init__(self, settings: RouterSettings) -> None:
        self.adopt(settings)
        self.table = Table()
        self.metrics = Metrics()
        self.activities = Activities()
        self.ids = RequestIds()
        self.certificates = Certificates()
        self.access_log = _access_log(settings)
        self.guard = Guard(self)
        self.prober = Prober(self)
        self.upstreams = 0
        self.wake: Callable[[str, int], None] = lambda release, version: None
        self.responses: ResponseCache | None = None
        self.static: StaticSites | None = None
        self.clients: set[Client] = set()
        self.tunnels: set[Tunnel] = set()
        self.doorways: dict[Doorway, None] = {}
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

    def adopt(self, settings: RouterSettings) -> None:
        """Works by these settings from now on.

        Raises:
            ShipoffError: CLOUDFLARE_RANGES_INVALID; nothing has changed.
        """
        self.trust = trust_of(settings)
        self.settings = settings
        if (guard := getattr(self, "guard", None)) is not None:
            guard.adopt(settings)
        self.waits = _waits(settings)
        self.timed = settings.server_timing
        self.pool_size = settings.pool_size
        share = max(
            64, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - _RESERVED) // 4
        )  # workers raise theirs to that
        self.most_clients = settings.max_connections or 3 * share
        self.most_upstreams = settings.upstream_connections or share

    def is_full(self) -> bool:
        """Whether no more clients can be taken in; asked before each one."""
        if len(self.clients) + len(self.tunnels) + len(self.doorways) < self.most_clients:
            return False
        self.metrics.accept_pauses += 1
        return True

    def streams(self) -> Poller:
        """The sockets of the running loop."""
        if self._poller is None:
            self._poller = LoopPoller(asyncio.get_running_loop())
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
        if self.responses is not None:
            self.responses.tick(now)
        silent = now - self.settings.tunnel_s
        for tunnel in [t for t in self.tunnels if t.touched < silent]:
            tunnel.close()
        for doorway in [d for d in self.doorways if d.deadline < now]:
            doorway.expire()
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
        """Whether one more connection may be made to an endpoint; an idle one elsewhere gives way to it."""
        if endpoint.open >= self.settings.endpoint_connections:
            return False
        return self.upstreams < self.most_upstreams or self._idle() is not None

    def _idle(self) -> Endpoint | None:
        """An endpoint with idle connections."""
        for endpoint in self.pools:
            if endpoint.idle:
                return endpoint
        return None

    def opened(self, endpoint: Endpoint) -> None:
        """A connection to an endpoint is being made."""
        if self.upstreams >= self.most_upstreams:
            other = self._idle()
            if other is not None:
                other.idle[0].discard()
        self.upstreams += 1
        endpoint.open += 1

    def closed(self, endpoint: Endpoint) -> None:
        """It is gone, or was never made."""
        self.upstreams -= 1
        endpoint.open -= 1
        if endpoint.wanted:
            self.guard.lanes.make_room(endpoint)

    def retire(self, endpoints: list[Endpoint]) -> None:
        """Closes the idle connections of endpoints that have left the table; busy ones finish first."""
        for endpoint in endpoints:
            self.pools.discard(endpoint)
            for pooled in list(endpoint.idle):
                pooled.discard()

    def changed(self) -> None:
        """The table has changed: whoever waits for that goes on."""
        self.guard.lanes.look()

    def gauges(self) -> dict[str, float]:
        """The state that metrics show beside the counters."""
        age, frozen = self.table_age()
        return {
            "connections": len(self.clients),
            "connections_max": self.most_clients,
            "doorways": len(self.doorways),
            "certificate_names": len(self.certificates),
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
            "table_resync_seconds": self.metrics.resync_s,
            **(self.responses.gauges() if self.responses is not None else {}),
            "loop_lag_seconds": max(self._late, self._late_before),
        }


def _waits(settings: RouterSettings) -> Waits:
    return Waits(settings.answer_s, settings.body_s, settings.stream_s, settings.head_s, settings.keep_alive_s)


def _access_log(settings: RouterSettings) -> AccessLog | None:
    if settings.access_log:
        return line_log()
    return AccessLog(pack) if settings.logsink_address else None
