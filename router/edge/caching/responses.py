"""The response cache of a worker: finds, asks, keeps, forgets (RFC 9111, for routes whose rules have `cache`).

A hit is answered in the callback that read the request. Everything else is a `Fetch`, one per key however many wait
for it: bounded in number and time, after which they go to the app themselves. A key whose answer turned out not to be
storable is remembered for a short while, in which its requests pass by and one now and then looks again.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kernel.tasks import spawn, stop
from router.core import glue
from router.core.caching import keys
from router.core.caching.asked import Asked, read_asked
from router.core.caching.memory import Memory
from router.core.caching.reuse import ASK, BACKGROUND, PASS, judge
from router.core.caching.rule import CacheRule
from router.core.caching.stored import Answer, Stored
from router.core.errors import NOT_CACHED
from router.core.host import canonical
from router.core.records import Route
from router.core.request import CACHE, Request
from router.edge.caching.deliver import give
from router.edge.caching.fetch import Fetch
from router.edge.caching.passing import Passing
from router.edge.caching.reader import NOTE, Reader
from router.edge.caching.shelf import INLINE, Shelf
from router.edge.caching.wanted import Wanted

if TYPE_CHECKING:
    from router.edge.context import Edge
    from router.edge.server import Client

_REMEMBERED_S: Final = 10.0
_TRIED_S: Final = 2.0
_MOST_REMEMBERED: Final = 16_384
_MOST_VARYING: Final = 65_536
_MOST_BACKGROUND: Final = 64
_MOST_NAMES: Final = 16
_MOST_WRITING: Final = 8  # large bodies on their way to the shelf; more are not kept
_TEND_S: Final = 2.0


class ResponseCache:
    """What one worker keeps of the answers of its routes.

    Args of the constructor:
        opener: gives the shelf when it is needed first; most routers have no route that asks for it.

    Attributes:
        most_object: bytes of a body that can be kept.
    """

    def __init__(self, edge: Edge, opener: Callable[[], Shelf | None] | None = None) -> None:
        settings = edge.settings
        self.edge = edge
        self._shelf: Shelf | None = None
        self._opener = opener
        self._writing = 0
        self._tended = edge.now
        self._tending: asyncio.Task[None] | None = None
        self.most_object = min(settings.cache_object, settings.cache_memory)
        self._memory = Memory(settings.cache_memory)
        self._room = settings.cache_memory  # for answers that are still coming
        self._fetching: dict[bytes, Fetch] = {}
        self._fetches: set[Fetch] = set()
        self._background = 0
        # primary key -> the names that its answers vary by; until when it is taken for one that can't be kept, and when
        # that is tried again
        self._varying: OrderedDict[bytes, tuple[bytes, ...]] = OrderedDict()
        self._remembered: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def open(self) -> None:
        """Opens the shelf, if there is to be one and it is not open yet."""
        opener, self._opener = self._opener, None
        if opener is not None:
            self._shelf = opener()

    # --- a request ---------------------------------------------------------------------------------------------------

    def handle(self, client: Client, request: Request, route: Route, release: str) -> bool:
        """Whether the cache answers a request, now or when it has asked; otherwise it goes to the app.

        Args:
            release: that would serve it.
        """
        head = request.head
        rule: CacheRule = route.policy.cache  # type: ignore[union-attr, assignment]
        method = head.method
        if method != b"GET" and method != b"HEAD":
            return self._pass(request, rule, b"fwd=method")
        asked = read_asked(head, rule)
        if asked.bypass:
            return self._pass(request, rule, b"fwd=" + asked.bypass)
        host = bare(head.host)
        url = keys.url_of(host, head.target, rule)
        owner = f"{route.project}\0{release}\0{client.peer.client_scheme(head)}\0".encode()
        primary = keys.primary_key(owner, head.host, url, rule, head.lines)
        key, stored = self._find(url, primary, head.lines)
        now = time.time()
        judged = ASK if stored is None else judge(stored, asked, now)
        if judged == PASS:
            return self._pass(request, rule, b"fwd=bypass")
        if stored is not None and judged != ASK:
            if not self._hit(client, request, stored, asked, now):
                self.forget(stored)
                stored, judged = None, ASK
            elif judged != BACKGROUND:
                return True
        wanted = Wanted(route, release, asked, url, primary, key)
        wanted.groups = (b"u" + url, b"h" + host, b"p" + route.project.encode())
        if stored is not None:
            wanted.forwarded = b"fwd=request" if judged == ASK and _is_fresh(stored, now) else b"fwd=stale"
            wanted.stored = stored
        elif key is not primary:
            wanted.forwarded = b"fwd=vary-miss"
        if judged == BACKGROUND:
            self._ask_behind(client, request, wanted)
            return True
        return self._ask(client, request, wanted)

    def _find(self, url: bytes, primary: bytes, lines: bytes) -> tuple[bytes, Stored | None]:
        """The key of a request, and what is stored under it, in memory or on the shelf."""
        if self._opener is not None:
            self.open()
        names, shelf = self._varying.get(primary), self._shelf
        key = primary if names is None else primary + b"\0" + keys.variant(names, lines)
        stored = self._memory.get(key)
        if shelf is None or (stored is not None and shelf.is_current(stored)):
            return key, stored
        if stored is not None:
            self._memory.remove(key)
        if names is None and (names := shelf.names(url, primary)) is not None:
            self._vary(primary, names)
            key = primary + b"\0" + keys.variant(names, lines)
        stored = shelf.get(url, key)
        if stored is not None:
            self._memory.put(stored)
        return key, stored

    def _hit(self, client: Client, request: Request, stored: Stored, asked: Asked, now: float) -> bool:
        metrics = self.edge.metrics
        left = stored.lifetime - (now - stored.born)
        request.kind, request.release = CACHE, stored.release
        if not give(client, request, stored, asked, now, glue.numbered(b"Cache-Status: shipoff; hit; ttl=", left)):
            return False
        metrics.cache_hits += 1
        if left <= 0:
            metrics.cache_stale += 1
        if self._shelf is not None:
            self._shelf.touch(stored, now)
        return True

    def _ask(self, client: Client, request: Request, wanted: Wanted) -> bool:
        """Asks the app, or waits for somebody else's question."""
        asked, metrics = wanted.asked, self.edge.metrics
        if asked.directives is not None and asked.directives.only_if_cached:
            client.refuse(NOT_CACHED, "this is not in the cache", NOTE % wanted.forwarded)
            return True
        metrics.cache_misses += 1
        if request.head.method == b"HEAD" or (asked.range and wanted.stored is None):
            return self._pass(request, wanted.rule, wanted.forwarded)
        remembered = self._is_remembered(wanted.primary)
        if remembered and wanted.stored is None and not self._tries(wanted.primary):
            return self._pass(request, wanted.rule, wanted.forwarded + b"; detail=uncacheable")
        settings = self.edge.settings
        reader = Reader(client, request, asked, self.edge.now + settings.cache_wait_s)
        fetch = self._fetching.get(wanted.key)
        alone = asked.directives is not None or remembered
        if fetch is not None and not alone and len(fetch.readers) < settings.cache_waiters:
            fetch.join(reader)
            return True
        self.again([reader], wanted, not alone and fetch is None)
        return True

    def again(self, readers: list[Reader], wanted: Wanted, shared: bool = False) -> None:
        """Starts a fetch for those who wait; the first of them owns it."""
        owner = readers[0]
        fetch = Fetch(self, owner.client, owner.request, wanted)
        fetch.owner = owner
        for reader in readers:
            fetch.join(reader)
        self._start(fetch, shared)

    def _ask_behind(self, client: Client, request: Request, wanted: Wanted) -> None:
        """Asks for the next answer while the stale one serves; one question per key."""
        if wanted.key not in self._fetching and self._background < _MOST_BACKGROUND:
            self._background += 1
            self._start(Fetch(self, client, request, wanted), True)

    def _start(self, fetch: Fetch, shared: bool) -> None:
        self._fetches.add(fetch)
        if shared:
            self._fetching[fetch.wanted.key] = fetch
        fetch.start()

    def _pass(self, request: Request, rule: CacheRule, why: bytes) -> bool:
        self.edge.metrics.cache_passed += 1
        request.ruled.cached = Passing(self, rule, NOTE % why)
        return False

    # --- what fetches call -------------------------------------------------------------------------------------------

    def key_for(self, primary: bytes, names: tuple[bytes, ...], lines: bytes) -> bytes:
        """The key of a request whose answer varies by these names."""
        known = self._varying.get(primary)
        if not names and known is None:
            return primary
        return primary + b"\0" + keys.variant(_together(names, known), lines)

    def value(self, wanted: Wanted, answer: Answer, key: bytes, body: bytes | None, size: int) -> Stored:
        """An answer as it is kept."""
        stored = Stored(key, answer, wanted.rule, body, size)
        project = wanted.route.project.encode()
        stored.groups = (*wanted.groups, *(b"t" + project + b"\0" + tag for tag in answer.tags()))
        stored.release = wanted.release
        return stored

    def keep(self, wanted: Wanted, stored: Stored) -> None:
        """Keeps an answer."""
        primary, shelf = wanted.primary, self._shelf
        self._remembered.pop(primary, None)
        if shelf is not None and shelf.is_outdated(wanted.url, wanted.asked_at):
            return
        if stored.vary and (names := _together(stored.vary, self._varying.get(primary))) != self._varying.get(primary):
            self._vary(primary, names)
            if shelf is not None:
                shelf.put_names(wanted.url, primary, names)
        if shelf is None:
            self.edge.metrics.cache_stored += self._memory.put(stored)
        elif stored.size <= INLINE or stored.body_file:
            self._shelve(shelf.put(wanted.url, stored), stored)
        elif self._writing < _MOST_WRITING:
            self._writing += 1
            _ = spawn(self._keep_large(shelf, wanted.url, stored), "router.cache.write")

    async def _keep_large(self, shelf: Shelf, url: bytes, stored: Stored) -> None:
        filed = stored.copied()  # who reads along has the body in memory
        try:
            put = await asyncio.to_thread(shelf.put, url, filed)
        finally:
            self._writing -= 1
        filed.body = None
        self._shelve(put, filed)

    def _shelve(self, put: bool, stored: Stored) -> None:
        if put:
            self.edge.metrics.cache_stored += 1
            self._memory.put(stored)
        else:
            self._memory.remove(stored.key)

    def _vary(self, primary: bytes, names: tuple[bytes, ...]) -> None:
        self._varying[primary] = names
        self._varying.move_to_end(primary)
        if len(self._varying) > _MOST_VARYING:
            self._varying.popitem(last=False)

    def forget(self, stored: Stored | None) -> None:
        """Keeps an answer no longer."""
        if stored is not None:
            self._memory.remove(stored.key)
            if self._shelf is not None:
                self._shelf.remove(stored)

    def remember(self, primary: bytes) -> None:
        """An answer could not be kept: for a while nobody waits for the next one."""
        self._remembered[primary] = (self.edge.now + _REMEMBERED_S, self.edge.now + _TRIED_S)
        self._remembered.move_to_end(primary)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    def reserve(self, fetch: Fetch, size: int) -> bool:
        """Whether there is room for more bytes of an answer that is coming."""
        if fetch.reserved + size > self.most_object or size > self._room:
            return False
        self._room -= size
        fetch.reserved += size
        return True

    def ended(self, fetch: Fetch) -> None:
        """A fetch is over."""
        if fetch not in self._fetches:
            return
        self._fetches.discard(fetch)
        self._room += fetch.reserved
        fetch.reserved = 0
        self._background -= fetch.owner is None
        if self._fetching.get(fetch.wanted.key) is fetch:
            del self._fetching[fetch.wanted.key]

    # --- purging -----------------------------------------------------------------------------------------------------

    def invalidate(self, url: bytes) -> int:
        """Forgets every answer of a URL; returns how many."""
        return self.purge(b"u" + url)

    def purge(self, group: bytes) -> int:
        """Forgets a group of answers (edge/caching/purging.py), and keeps none that is on its way; returns how many."""
        self.open()
        for fetch in self._fetches:
            if group[:1] == b"t" or group in fetch.wanted.groups:
                fetch.may_keep = False
                if self._fetching.get(fetch.wanted.key) is fetch:
                    del self._fetching[fetch.wanted.key]
        gone = [self._memory.remove(key) for key in self._memory.group(group)]
        if self._shelf is None:
            return len(gone)
        if group[:1] != b"u":
            self._shelf.mark()
        removed = sum(self._shelf.remove(stored) for stored in gone if stored is not None)
        return removed + (self._shelf.forget(group[1:]) if group[:1] == b"u" else 0)

    async def purge_shelf(self, groups: set[bytes]) -> int:
        """Forgets what no worker has in memory; for one of the workers. Returns how many."""
        self.open()
        return await asyncio.to_thread(self._shelf.purge, groups) if self._shelf is not None else 0

    # --- upkeep ------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Ends fetches that are past their deadline, and the waiting of those who have waited long enough."""
        self.edge.metrics.cache_evicted = self._memory.evicted
        if self._shelf is not None and now - self._tended > _TEND_S and self._tending is None:
            self._tended = now
            self._tending = spawn(self.tend(), "router.cache.tend")
        for fetch in [one for one in self._fetches if 0 < one.deadline < now]:
            fetch.expire()
        for fetch in list(self._fetches):
            for reader in [r for r in fetch.readers if r.until < now and not r.begun and r is not fetch.owner]:
                reader.go_alone()

    async def tend(self) -> None:
        """Looks after the shelf: how much there is, and what has to go."""
        try:
            if self._shelf is not None:
                await asyncio.to_thread(self._shelf.tend)
        finally:
            self._tending = None

    async def close(self, remove: bool = False) -> None:
        """Ends what is asked for; removes the shelf when it is not meant to stay."""
        for fetch in list(self._fetches):
            fetch.break_off()
        await stop(self._tending)
        if self._shelf is not None:
            self._shelf.close(remove)

    def gauges(self) -> dict[str, float]:
        """What is kept."""
        return {"cache_bytes": self._memory.used, "cache_objects": len(self._memory)}

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for."""
        return not (self._fetches or self._fetching or self._background)

    def _is_remembered(self, primary: bytes) -> bool:
        known = self._remembered.get(primary)
        return known is not None and known[0] > self.edge.now

    def _tries(self, primary: bytes) -> bool:
        """Whether it is time for one request to look again whether the answer can be kept by now."""
        until, again = self._remembered[primary]
        if again > self.edge.now:
            return False
        self._remembered[primary] = (until, self.edge.now + _TRIED_S)
        return True


def _is_fresh(stored: Stored, now: float) -> bool:
    return now - stored.born < stored.lifetime


def _together(names: tuple[bytes, ...], known: tuple[bytes, ...] | None) -> tuple[bytes, ...]:
    """All names that the answers of a key vary by; only the newest answer's when they have become too many."""
    together = tuple(sorted({*names, *(known or ())}))
    return together if len(together) <= _MOST_NAMES or not names else names


def bare(host: bytes) -> bytes:
    """A host without its port and root dot."""
    return host if b":" not in host and host[-1:] != b"." else canonical(host) or host
