"""One request of the cache to the app, and everybody who waits for its answer.

A `Fetch` is a client to the rest of the router: it is forwarded, retried, queued and timed out like any other request.
What the app's side writes to it is read here like an answer off the wire. An answer that may be kept is collected and
streams to its readers from there, each as fast as it reads; one that may not goes to the first reader alone, whose
pace then is the app's, and the others go on their own.
"""

from __future__ import annotations

import asyncio
import time
from time import perf_counter
from typing import TYPE_CHECKING, Final

from kernel.errors import ErrorKind
from router.core.body import CHUNKED, Chunked
from router.core.caching.asked import own_head
from router.core.caching.reuse import may_serve_after_error
from router.core.caching.stored import Answer, Stored, freshened
from router.core.errors import Refused
from router.core.head import read_response
from router.core.request import ANSWER, DONE, LOCAL, Request
from router.edge import forward, policing
from router.edge.caching.passing import Passing, Untouched
from router.edge.caching.reader import NOTE, Reader
from router.edge.caching.sink import Sink
from router.edge.caching.wanted import Wanted
from router.edge.server import Client

if TYPE_CHECKING:
    from router.edge.caching.responses import ResponseCache

_ERRORS: Final = frozenset((500, 502, 503, 504))  # RFC 5861, section 4
_UNTOUCHED: Final = Untouched()
# ASKING: no head yet. FILLING: the answer is collected. RELAYING: it goes to one reader. OVER: nothing more comes.
ASKING, FILLING, RELAYING, OVER = range(4)


class Fetch(Client):
    """A request of the cache's own.

    Attributes:
        owner: whose request it is; None when the cache asks by itself. An answer that is not kept is nobody else's.
        readers: who waits for the answer, the owner among them.
        may_keep: nothing has happened that makes the answer's storing wrong.
        reserved: bytes of the cache's room for answers that are still coming.
    """

    __slots__ = (
        "_answer",
        "_cache",
        "_chunked",
        "_head",
        "_kept",
        "_length",
        "may_keep",
        "mode",
        "owner",
        "parts",
        "readers",
        "reserved",
        "size",
        "wanted",
    )

    def __init__(self, cache: ResponseCache, client: Client, request: Request, wanted: Wanted) -> None:
        super().__init__(cache.edge)
        self.peer = client.peer
        self.added = client.added
        self.limits = client.limits
        self.transport = Sink(self)
        self._cache = cache
        self.wanted = wanted
        self.owner: Reader | None = None
        self.readers: list[Reader] = []
        self.reserved = 0
        self.parts: list[bytes] = []
        self.size = 0
        self.mode = ASKING
        self.may_keep = True
        wanted.asked_at = time.time()
        self._answer: Answer | None = None
        self._kept: Stored | None = None
        self._head = b""
        self._length = 0
        self._chunked: Chunked | None = None
        head = own_head(request.head, wanted.conditions())
        inner = Request(head, request.id, perf_counter())
        inner.ruled = policing.Ruled(wanted.route.policy)  # type: ignore[arg-type]
        inner.ruled.release = wanted.release
        inner.ruled.cached = _UNTOUCHED
        self.request = inner

    def start(self) -> None:
        """Sends the request."""
        request = self.request
        if request is not None:
            self.deadline = self.edge.now + self.limits.answer_s
            forward.attempt(self, request, self.wanted.route)

    def dispatch(self, request: Request) -> None:
        """Sends it again; a route that has changed since may answer, but not for the key of before."""
        route = self.edge.table.find(request.head.host, request.head.target)
        if route is None or route.version != self.wanted.route.version:
            self.may_keep = False
        super().dispatch(request)

    # --- readers -----------------------------------------------------------------------------------------------------

    @property
    def is_relaying(self) -> bool:
        """The answer goes to its owner alone."""
        return self.mode == RELAYING

    @property
    def is_over(self) -> bool:
        """Nothing more comes."""
        return self.mode == OVER

    def join(self, reader: Reader) -> None:
        """One more waits for the answer, or reads it from its beginning."""
        self.readers.append(reader)
        reader.wait(self)
        if self.mode == FILLING and self._length >= 0 and self._kept is not None:
            self._share(reader, self._kept)
            if reader.begun:
                reader.pump()
                reader.flush()

    def left(self, reader: Reader) -> None:
        """A reader has gone; what nobody waits for and is not being kept is given up."""
        if reader in self.readers:
            self.readers.remove(reader)
        if not self.readers and self.mode in (ASKING, RELAYING):
            self._end()

    def pass_by(self, reader: Reader) -> None:
        """A reader will send its own request, which the cache then leaves alone."""
        reader.request.ruled.cached = Passing(self._cache, self.wanted.rule, NOTE % self.wanted.forwarded)

    def resume_upstream(self) -> None:
        """The only reader has caught up."""
        if self.upstream is not None:
            self.upstream.resume()

    # --- what the app's side calls -----------------------------------------------------------------------------------

    def take(self, data: bytes) -> None:
        """Bytes of the answer: its head, then its body."""
        if self.mode == ASKING:
            data = self._head + data
            self._head = b""
            while True:
                head = read_response(data)
                if head is None:
                    self._head = data
                    return
                if head.status >= 200:
                    break
                self._pass_interim(data[: head.end])
                data = data[head.end :]
            self._length = 0 if head.status == 204 else head.length
            self._chunked = Chunked() if head.length == CHUNKED else None
            self._arrived(head.status, head.lines)
            data = data[head.end :]
        if data and self.mode in (FILLING, RELAYING):
            self._take_body(data)
        elif self.mode == FILLING and not self._length:
            self._complete()
        for reader in list(self.readers):
            reader.flush()

    def tail(self, request: Request) -> bytes:
        """Nothing of a connection is added to what the cache reads."""
        return b"\r\n"

    def whole(self, request: Request, lines: bytes, date: bytes, data: bytes, at: int) -> bytes:
        """Nor to a whole answer."""
        return b"".join((lines, date, b"\r\n", data[at:]))

    def hold(self, reason: int) -> None:
        """It sends no body that could wait."""

    def go_on(self, reason: int) -> None:
        """As `hold`."""

    def finish(self) -> None:
        """The answer is whole."""
        request, self.request = self.request, None
        if request is None:
            return
        request.move(DONE)
        self._account(request)
        if self.mode == FILLING:
            self._complete()
        mode, self.mode = self.mode, OVER
        self._cache.ended(self)
        for reader in list(self.readers):
            if reader.begun:
                reader.end()
            elif mode == FILLING and self._kept is not None:
                self._share(reader, self._kept)
            else:
                reader.go_alone()

    def break_off(self) -> None:
        """The answer broke off in the middle: it is never kept, and who has begun to read it sees that."""
        readers = self._end()
        for reader in readers:
            reader.break_off() if reader.begun else reader.go_alone()

    def refuse(self, kind: ErrorKind, detail: str, more: bytes = b"", retry_after: int = 5) -> None:
        """The app gave no answer."""
        if self.request is not None and self.request.phase in (ANSWER, LOCAL):
            self.break_off()
            return
        stored, now = self.wanted.stored, time.time()
        for reader in self._end():
            if stored is not None and may_serve_after_error(stored, reader.asked, now):
                reader.give(stored, now, b"hit; detail=stale-if-error")
            else:
                reader.refuse(kind, detail, more, retry_after)

    # --- the head ----------------------------------------------------------------------------------------------------

    def _pass_interim(self, lines: bytes) -> None:
        owner = self.owner
        if owner in self.readers and owner is not None and owner.request.head.minor:
            owner.client.transport.write(lines)

    def _arrived(self, status: int, lines: bytes) -> None:
        wanted, now = self.wanted, time.time()
        answer = Answer(status, lines, wanted.asked, wanted.rule, wanted.asked_at, now)
        if self.request is not None and self.request.release != wanted.release:
            self.may_keep = False
        for reader in self.readers:
            reader.came(self.request)
        if status == 304:
            self._not_modified(answer, now)
            return
        if status in _ERRORS and wanted.stored is not None and self._rescue(wanted.stored, now):
            return
        refusal = answer.refusal(wanted.asked)
        if not refusal and not self._cache.reserve(self, max(0, self._length)):
            refusal = b"too-large"
        self._answer = answer
        self._relay(refusal) if refusal else self._fill(answer)

    def _not_modified(self, answer: Answer, now: float) -> None:
        wanted, stored = self.wanted, self.wanted.stored
        lines = freshened(stored, answer) if stored is not None else None
        if stored is None or lines is None:
            self._ask_anew()
            return
        merged = Answer(stored.status, lines, wanted.asked, wanted.rule, wanted.asked_at, now)
        newer = self._cache.value(wanted, merged, stored.key, stored.body, stored.size)
        newer.body_file = stored.body_file
        refusal = merged.refusal(wanted.asked)
        if refusal or not self.may_keep:
            self._cache.forget(stored)
        else:
            self._cache.keep(wanted, newer)
        self._cache.edge.metrics.cache_revalidated += 1
        for reader in self._end():
            if reader is self.owner or (not refusal and reader.can_share(newer, newer.key, now)):
                reader.give(newer, now, b"fwd=stale; fwd-status=304" + (b"" if refusal else b"; stored"))
            else:
                reader.go_alone()

    def _ask_anew(self) -> None:
        """A 304 that is not about what is stored: the whole answer has to be asked for."""
        if self.wanted.stored is None:  # nothing was asked about: that is between the client and the app
            for reader in self._end():
                reader.go_alone()
            return
        self._cache.forget(self.wanted.stored)
        self.wanted.stored = None
        readers = self._end()
        if readers:
            self._cache.again(readers, self.wanted)

    def _rescue(self, stored: Stored, now: float) -> bool:
        """Whether the stored answer stands for the app's error, for all who wait."""
        if not all(may_serve_after_error(stored, reader.asked, now) for reader in self.readers):
            return False
        for reader in self._end():
            reader.give(stored, now, b"hit; detail=stale-if-error")
        return True

    # --- an answer that is not kept ----------------------------------------------------------------------------------

    def _relay(self, refusal: bytes) -> None:
        """Gives the answer to its owner; the others go on their own."""
        cache, wanted, answer, owner = self._cache, self.wanted, self._answer, self.owner
        cache.remember(wanted.primary)
        if answer is None or (answer.status not in _ERRORS and wanted.stored is not None):
            cache.forget(wanted.stored)
        self.mode = RELAYING
        for reader in [one for one in self.readers if one is not owner]:
            reader.break_off() if reader.begun else reader.go_alone()
        if owner is None or owner not in self.readers:
            self._end()
        elif answer is not None and not owner.begun:
            owner.begin(answer, self._length, wanted.forwarded + b"; detail=" + refusal)
            if owner not in self.readers:  # its own copy is current
                self._end()

    # --- an answer that is kept --------------------------------------------------------------------------------------

    def _fill(self, answer: Answer) -> None:
        cache, wanted = self._cache, self.wanted
        self.mode = FILLING
        lines = self.request.head.lines if self.request is not None else b""
        key = cache.key_for(wanted.primary, answer.vary or (), lines)
        self._kept = stored = cache.value(wanted, answer, key, None, max(0, self._length))
        for reader in list(self.readers):
            if reader is self.owner:
                reader.begin(answer, self._length, wanted.forwarded + b"; stored")
            else:
                self._share(reader, stored)

    def _share(self, reader: Reader, stored: Stored) -> None:
        """Lets a reader other than the owner have the answer, if it is one for it: whole, or as it comes."""
        now = time.time()
        key = self._cache.key_for(self.wanted.primary, stored.vary, reader.request.head.lines)
        if not reader.can_share(stored, key, now):
            reader.go_alone()
            return
        note = self.wanted.forwarded + b"; collapsed"
        if stored.body is not None:
            self._cache.edge.metrics.cache_coalesced += 1
            reader.give(stored, now, note)
        elif self._answer is not None and self._length >= 0 and not reader.asked.range:
            self._cache.edge.metrics.cache_coalesced += 1
            reader.begin(self._answer, self._length, note)

    def _take_body(self, data: bytes) -> None:
        if self._chunked is not None:
            payload: list[bytes] = []
            try:
                self._chunked.feed(data, 0, payload)
            except Refused:
                self.break_off()
                return
            data = b"".join(payload)
        self.size += len(data)
        if data:
            self.parts.append(data)
        if self.mode == FILLING:
            if self._length < 0 and not self._cache.reserve(self, len(data)):
                self._relay(b"too-large")
            elif self.size == self._length or (self._chunked is not None and self._chunked.done):
                self._complete()  # before the client can ask again
        for reader in list(self.readers):
            if reader.begun:
                reader.pump()
        if self.mode == RELAYING and self.parts and self.upstream is not None:
            self.upstream.pause()

    def _complete(self) -> None:
        stored = self._kept
        if stored is None or stored.body is not None:
            return
        stored.body = b"".join(self.parts)
        stored.size = len(stored.body)
        if self.may_keep:
            self._cache.keep(self.wanted, stored)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _account(self, request: Request) -> None:
        policing.ended(self, request)
        if request.activity is not None:
            request.activity.end(request, perf_counter())

    def _end(self) -> list[Reader]:
        """Parts from the app's side and from the readers, which are returned."""
        request, self.request = self.request, None
        if request is not None:
            self._account(request)
        self.mode = OVER
        self.deadline = 0.0
        self._cache.ended(self)
        readers, self.readers = self.readers, []
        # The app's side may be in the middle of a call to here.
        asyncio.get_running_loop().call_soon(self._let_go)
        return readers
