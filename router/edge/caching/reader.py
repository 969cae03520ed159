"""One client that waits for an answer of the cache, or reads one that is still coming."""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Final

from kernel.errors import ErrorKind
from router.core.caching.asked import Asked
from router.core.caching.conditions import unchanged
from router.core.caching.reuse import BACKGROUND, FRESH, STALE, judge
from router.core.caching.stored import Answer, Stored
from router.core.request import APP, CACHE, DIAL, Request
from router.edge import policing
from router.edge.caching.deliver import begin, give, give_unchanged

if TYPE_CHECKING:
    from router.edge.caching.fetch import Fetch
    from router.edge.server import Client

NOTE: Final = b"Cache-Status: shipoff; %b\r\n"
# Framing is made anew for each reader, and the tags are not the client's to know.
_CUT: Final = re.compile(rb"(?im)^(?:content-length|transfer-encoding|trailer|cache-tag|surrogate-key):[^\r\n]*\r\n")


class Reader:
    """Stands for the upstream connection of a client whose answer comes from a fetch.

    Attributes:
        begun: the head has been written.
        until: when it stops waiting for others (seconds of the worker's coarse clock).
    """

    __slots__ = ("_at", "_chunks", "_pending", "asked", "begun", "client", "fetch", "request", "until")

    fetch: Fetch

    def __init__(self, client: Client, request: Request, asked: Asked, until: float) -> None:
        self.client = client
        self.request = request
        self.asked = asked
        self.until = until
        self.begun = False
        self._at = 0
        self._chunks = False
        self._pending = b""

    # --- as a client's upstream --------------------------------------------------------------------------------------

    def pause(self) -> None:
        """The client does not read; `resume` will tell."""

    def write(self, data: bytes) -> None:
        """A request that the cache answers has no body."""

    def drop(self) -> None:
        """The client went away."""
        self.fetch.left(self)

    def resume(self) -> None:
        """The client reads again."""
        if self.begun:
            self.pump()
            self.flush()

    # --- as a fetch's reader -----------------------------------------------------------------------------------------

    def wait(self, fetch: Fetch) -> None:
        """Waits for the answer of a fetch."""
        self.fetch = fetch
        self.client.upstream = self
        self.client.deadline = 0.0  # the fetch has its own
        self.request.move(DIAL)

    def came(self, inner: Request | None) -> None:
        """The head has come: notes for the log who answered."""
        if inner is not None:
            request = self.request
            request.endpoint, request.release, request.attempts = inner.endpoint, inner.release, inner.attempts
            request.first = perf_counter()

    def can_share(self, stored: Stored, key: bytes, now: float) -> bool:
        """Whether an answer that another asked for is this one's as well.

        Args:
            key: that of this request, with what the answer varies by.
        """
        return key == stored.key and judge(stored, self.asked, now) in (FRESH, STALE, BACKGROUND)

    def begin(self, answer: Answer, length: int, note: bytes) -> None:
        """Answers with what is coming.

        Args:
            length: bytes of the body, negative while unknown.
        """
        client, request = self.client, self.request
        request.kind = APP if self.fetch.owner is self else CACHE
        if unchanged(self.asked, answer.status, answer.etag, answer.modified, answer.date):
            self._leave()
            give_unchanged(client, request, _CUT.sub(b"", answer.lines), NOTE % note)
            return
        begin(client, request, answer.status)
        client.upstream = self
        self.begun = True
        lines = policing.answer_lines(request, _CUT.sub(b"", answer.lines))
        if answer.status == 204:
            framing = b""
        elif length >= 0:
            framing = b"Content-Length: %d\r\n" % length
        elif request.head.minor:
            framing, self._chunks = b"Transfer-Encoding: chunked\r\n", True
        else:
            framing, client.keep = b"", False
        self._pending = b"".join((lines, framing, NOTE % note, client.tail(request)))

    def pump(self) -> None:
        """Writes what has come, as far as the client takes it."""
        client, fetch = self.client, self.fetch
        while self._at < len(fetch.parts) and not client.write_paused:
            piece = fetch.parts[self._at]
            self._at += 1
            self.request.sent += len(piece)
            client.deadline = client.edge.now + client.limits.stream_s
            if self._chunks:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            if self._pending:
                piece, self._pending = self._pending + piece, b""
            client.transport.write(piece)
        if self._at == len(fetch.parts):
            if fetch.is_over:
                self.end()
            elif fetch.is_relaying:
                fetch.parts.clear()
                self._at = 0
                if not client.write_paused:
                    fetch.resume_upstream()

    def flush(self) -> None:
        """Writes a head whose body keeps the client waiting."""
        if self.begun and self._pending and not self.client.write_paused:
            pending, self._pending = self._pending, b""
            self.client.transport.write(pending)

    def end(self) -> None:
        """Nothing more comes: ends the answer once the client has it all."""
        if self._at < len(self.fetch.parts):
            return  # `pump` goes on when the client reads
        last = self._pending + (b"0\r\n\r\n" if self._chunks else b"")
        if last:
            self.client.transport.write(last)
        self._leave()
        self.client.finish()

    def give(self, stored: Stored, now: float, note: bytes) -> None:
        """Answers from the store."""
        self.request.kind = CACHE
        self._leave()
        if not give(self.client, self.request, stored, self.asked, now, NOTE % note):
            self.go_alone()

    def refuse(self, kind: ErrorKind, detail: str, more: bytes, retry_after: int) -> None:
        """Tells that the app gave no answer."""
        self._leave()
        self.client.refuse(kind, detail, more, retry_after)

    def go_alone(self) -> None:
        """Sends its own request to the app."""
        self._leave()
        self.fetch.pass_by(self)
        self.request.attempts, self.request.endpoint, self.request.first = 0, None, 0.0
        self.client.deadline = self.client.edge.now + self.client.limits.answer_s
        self.client.dispatch(self.request)

    def break_off(self) -> None:
        """The answer will never be whole."""
        self._leave()
        self.client.break_off()

    def _leave(self) -> None:
        self.client.upstream = None
        if self in self.fetch.readers:
            self.fetch.readers.remove(self)
