"""The life of a request, as one table.

    READ    the head is good; a route is looked for
    DIAL    an endpoint was picked and its connection is being made; body bytes are held, boundedly
    SENT    head and body go to the upstream; no answer yet
    ANSWER  the answer's head went to the client, its body streams
    LOCAL   the router itself answers (static file, redirect, error page)
    TUNNEL  101: from here on bytes are relayed and no longer understood
    DONE    answered whole; the connection goes on to its next request or closes
    LOST    the client went away, or the answer broke off in the middle

Every move is checked against `MOVES`; edge/server.py makes them, nothing else does. Back from SENT to DIAL (or from
DIAL to DIAL) is a retry, and core/retry.py is the only judge of it.
"""

from __future__ import annotations

from typing import Any, Final

from router.core.balance import Endpoint
from router.core.body import CHUNKED, Chunked
from router.core.errors import Refused
from router.core.head import RequestHead
from router.core.records import Route

READ, DIAL, SENT, ANSWER, LOCAL, TUNNEL, DONE, LOST = range(8)
NAMES: Final = ("READ", "DIAL", "SENT", "ANSWER", "LOCAL", "TUNNEL", "DONE", "LOST")

MOVES: Final[tuple[frozenset[int], ...]] = (
    frozenset((DIAL, SENT, LOCAL, LOST)),  # READ
    frozenset((DIAL, SENT, LOCAL, LOST)),  # DIAL
    frozenset((DIAL, SENT, ANSWER, LOCAL, TUNNEL, LOST)),  # SENT
    frozenset((DONE, LOST)),  # ANSWER
    frozenset((DONE, LOST)),  # LOCAL
    frozenset((DONE,)),  # TUNNEL
    frozenset(),  # DONE
    frozenset(),  # LOST
)

_LEGAL: Final = bytes(to in MOVES[phase] for phase in range(8) for to in range(8))  # the same, to be looked up fast

# What answers a request, for the metrics: the app, a file of the site, the cache, a rule or the router by itself (a
# redirect), an error of the router's own, a tunnel, or an app that had to be woken (its waiting is a cold start).
OWN, APP, FILE, CACHE, ERROR, TUNNELED, WOKEN = range(7)
KINDS: Final = ("router", "app", "file", "cache", "error", "tunnel", "woken")


class Request:
    """One request, from its head to its end.

    Attributes:
        left: bytes of the body still to come from the client, CHUNKED, or 0.
        attempts: endpoints that were asked, dials included.
        tried: endpoints that have failed this request.
        failure: how the last of them failed.
        failed_at: when the first of them did (seconds of the worker's clock); 0.0 before.
        started: seconds of the worker's fine clock, for the log.
        queued: seconds that it waited before an endpoint was picked (queue, sleeping app, slow password).
        cold: it waited for a release that slept or was waking.
        connecting: seconds that its dials took, those that failed included.
        first: when the app's answer came, on the clock of `started`; 0 before.
        kind: what answers it, one of KINDS.
        route: what the table said; None while nothing was found.
        status: what the client was told; 0 before.
        error: the router's own code, or "".
        ruled: what the rules of its route have made of it (edge/policing.py); None on a route without.
        activity: where its release counts it (core/activity.py), from its wait or its first attempt to its end.
    """

    __slots__ = (
        "_chunked",
        "activity",
        "attempts",
        "cold",
        "connecting",
        "endpoint",
        "error",
        "failed_at",
        "failure",
        "first",
        "head",
        "id",
        "kind",
        "left",
        "phase",
        "queued",
        "received",
        "release",
        "route",
        "ruled",
        "sent",
        "started",
        "status",
        "tried",
    )

    def __init__(self, head: RequestHead, request_id: bytes, started: float) -> None:
        self.begin(head, request_id, started)

    def begin(self, head: RequestHead, request_id: bytes, started: float) -> None:
        """Sets everything to the beginning."""
        self.head = head
        self.id = request_id
        self.started = started
        self.phase = READ
        self.left = head.length
        self._chunked = Chunked() if head.length == CHUNKED else None
        self.attempts = 0
        self.tried: tuple[Endpoint, ...] = ()
        self.endpoint: Endpoint | None = None
        self.failure: Refused | None = None
        self.failed_at = 0.0
        self.status = 0
        self.error = ""
        self.ruled: Any = None
        self.activity: Any = None
        self.route: Route | None = None
        self.kind = OWN
        self.queued = 0.0
        self.cold = False
        self.connecting = 0.0
        self.first = 0.0
        self.release = ""
        self.received = 0
        self.sent = 0

    def move(self, to: int) -> None:
        """Goes on to the next phase.

        Raises:
            AssertionError: the table does not allow it, which is a fault of this program.
        """
        if not _LEGAL[self.phase * 8 + to]:
            raise AssertionError(f"a request cannot move from {NAMES[self.phase]} to {NAMES[to]}")
        self.phase = to

    def take_body(self, data: bytes, at: int) -> int:
        """Counts body bytes that came in; returns the index behind the last one that belongs to this request.

        Raises:
            Refused: BAD_REQUEST, the chunked framing is broken.
        """
        if self._chunked is None:
            size = min(len(data) - at, self.left)
            self.left -= size
            self.received += size
            return at + size
        end = self._chunked.feed(data, at)
        self.received += end - at
        if self._chunked.done:
            self.left = 0
        return end

    @property
    def body_size(self) -> int:
        """Bytes of the body as announced up to now: all of them, or the chunks whose size lines have come."""
        return self.head.length if self._chunked is None else self._chunked.size


def fresh(head: RequestHead, request_id: bytes, started: float) -> Request:
    """A new request; compiled, no arguments are packed for it."""
    request = Request.__new__(Request)
    request.begin(head, request_id, started)
    return request
