"""The app's side: a connection to one endpoint, its pool, and its answers on their way to the client.

Answers are held to the same rules as requests. Their bodies stream as they come; only where client and app frame
bodies differently are they framed anew (`_mode`).
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Final

from router import clock
from router.core import glue
from router.core.balance import Endpoint
from router.core.body import CHUNKED, Chunked
from router.core.errors import UPSTREAM_INVALID, Refused
from router.core.head import ResponseHead, read_response
from router.core.idle import closed_by_app, told
from router.core.request import ANSWER, APP, WOKEN, Request
from router.core.retry import CLOSED_FRESH, CLOSED_REUSED, UNTAKEN
from router.edge import forward, policing
from router.edge.answering import HELD_UPLOAD
from router.edge.context import TICK_S, Edge
from router.edge.descriptor import is_quiet
from router.edge.receiver import Receiver
from router.edge.taken import untaken
from router.edge.transport import Transport
from router.edge.tunnel import open_tunnel

if TYPE_CHECKING:
    from router.edge.server import Client


_MOST_INTERIM: Final = 16
_CODING: Final = re.compile(rb"(?i)\ntransfer-encoding:[^\n]*")
# What is being read, and how it goes on to the client.
_HEAD, _SIZED, _CHUNKS, _UNCHUNK, _RAW, _RECHUNK = range(6)


class Upstream(Receiver):
    """One connection to an endpoint; serves one request at a time.

    Attributes:
        client: whose request it carries; None while pooled.
        until: when an idle one is closed.
    """

    __slots__ = (
        "_buffer",
        "_chunked",
        "_idle_s",
        "_interim",
        "_keep",
        "_left",
        "_mode",
        "_request",
        "_served",
        "_since",
        "_sock",
        "client",
        "edge",
        "endpoint",
        "transport",
        "until",
    )

    transport: Transport
    _request: Request  # of the client, as long as there is one

    def __init__(self, edge: Edge, endpoint: Endpoint, sock: socket.socket) -> None:
        self.edge = edge
        self.endpoint = endpoint
        self.client: Client | None = None
        self.until = 0.0
        self._sock = sock
        self._served = 0
        self._since = 0.0
        self._buffer = b""
        self._mode = _HEAD
        self._left = 0
        self._chunked = Chunked()
        self._keep = True
        self._interim = 0
        self._idle_s = edge.settings.pool_idle_s

    # --- the pool ----------------------------------------------------------------------------------------------------

    def give_back(self) -> None:
        """Puts the connection into its endpoint's pool, or closes it when it has no place there."""
        endpoint, edge = self.endpoint, self.edge
        if endpoint.gone or len(endpoint.idle) >= edge.pool_size or self.transport.is_closing():
            self.transport.close()
            return
        self._since = edge.now
        idle_s = self._idle_s
        if endpoint.idle_s < idle_s:
            idle_s = endpoint.idle_s
        self.until = edge.now + idle_s
        if not endpoint.idle:
            edge.pools.add(endpoint)
        endpoint.idle.append(self)
        if endpoint.wanted:
            edge.guard.lanes.make_room(endpoint)

    def discard(self) -> None:
        """Closes a pooled connection."""
        if self in self.endpoint.idle:
            self.endpoint.idle.remove(self)
        self.transport.abort()

    def learn(self) -> None:
        """The app has closed the pooled connection."""
        self.edge.metrics.stale += 1
        closed_by_app(self.endpoint, self.edge.now - self._since, self._idle_s, self.edge.now)

    def _is_stale(self) -> bool:
        """Whether the app has closed it, or said something unasked, since the last answer."""
        return not is_quiet(self._sock) or self.transport.is_closing()

    # --- a request ---------------------------------------------------------------------------------------------------

    def begin(self, client: Client, request: Request) -> None:
        """Takes on a client's request; `write` sends it."""
        self.client = client
        self._request = request
        self._mode = _HEAD
        self._interim = 0
        self.endpoint.in_flight += 1
        if client.write_paused:
            self.pause()

    def write(self, data: bytes) -> None:
        """Sends request bytes."""
        self.transport.write(data)

    def drop(self) -> None:
        """The client has no more use for this request: the connection's state is unknown, so it goes."""
        if self.client is not None:
            self.client = None
            self.endpoint.in_flight -= 1
        self.transport.abort()

    def pause(self) -> None:
        """The client does not read: nor do we."""
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        """The client reads again."""
        if not self.transport.is_closing():
            self.transport.resume_reading()

    # --- the transport's callbacks -----------------------------------------------------------------------------------

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def pause_writing(self) -> None:
        if self.client is not None:
            self.client.hold(HELD_UPLOAD)

    def resume_writing(self) -> None:
        if self.client is not None:
            self.client.go_on(HELD_UPLOAD)

    def data_received(self, data: bytes) -> None:
        client = self.client
        if client is None:
            if self in self.endpoint.idle:
                self.learn()  # an app that says something now says that it closes
            self.discard()
        elif self._mode == _HEAD:
            self._read_head(client, data)
        else:
            self._read_body(client, data)

    def eof_received(self) -> bool:
        self.transport.abort()  # it is done with us; what was still to be written has no reader
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        endpoint, client = self.endpoint, self.client
        if client is None and self in endpoint.idle:
            endpoint.idle.remove(self)
            self.learn()
        self.edge.closed(endpoint)
        if client is None:
            return
        request = self._request
        if self._mode == _HEAD:
            failure = self._judge(client, exc)
            self._part(client)
            forward.closed_early(client, request, endpoint, failure, not self._served)
        elif self._mode in (_RAW, _RECHUNK) and exc is None:
            if self._mode == _RECHUNK:
                client.transport.write(b"0\r\n\r\n")
            self._part(client)
            client.finish()
        else:
            self._part(client)
            client.break_off()

    def _judge(self, client: Client, exc: Exception | None) -> int:
        """How the attempt has failed."""
        if self._buffer or self._interim:
            return CLOSED_FRESH  # an answer had begun
        unsent = self.transport.get_write_buffer_size()
        if client.out and untaken(self._sock, len(client.out) - unsent, exc is None):
            return UNTAKEN
        if self._served:
            closed_by_app(self.endpoint, self.edge.now - self._since, self._idle_s, self.edge.now)
            return CLOSED_REUSED
        return CLOSED_FRESH

    # --- heads -------------------------------------------------------------------------------------------------------

    def _read_head(self, client: Client, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        request = self._request
        while True:
            try:
                head = read_response(data)
                if head is None:
                    self._buffer = data
                    return
                if head.status >= 200:
                    break
                if not self._pass_interim(client, request, head, data):
                    return
            except Refused as refused:
                client.refuse(UPSTREAM_INVALID, refused.detail)
                return
            data = data[head.end :]
            if not data:
                return
        self._pass_head(client, request, head, data)

    def _pass_interim(self, client: Client, request: Request, head: ResponseHead, data: bytes) -> bool:
        """Passes a 1xx on; tells whether an answer is still to be read (not behind a 101).

        Raises:
            Refused: UPSTREAM_INVALID, a 101 that nobody asked for, or no end of them.
        """
        self._interim += 1
        if self._interim > _MOST_INTERIM:
            raise Refused(UPSTREAM_INVALID, "the app sends 1xx answers without end")
        if head.status != 101:
            if request.head.minor:
                client.transport.write(head.lines + b"\r\n")
            return True
        if not request.head.upgrade or not head.upgrade:
            raise Refused(UPSTREAM_INVALID, "the app upgraded a connection without being asked")
        request.status = 101
        self.client = None
        self.endpoint.in_flight -= 1
        open_tunnel(client, self, request, head, data[head.end :])
        return False

    def _pass_head(self, client: Client, request: Request, head: ResponseHead, data: bytes) -> None:
        request.move(ANSWER)
        request.kind = WOKEN if request.cold else APP
        request.first = clock.perf_counter()
        status = request.status = head.status
        self._keep = head.keep
        if head.idle_s:
            self._idle_s = min(self.edge.settings.pool_idle_s, told(head.idle_s))
        edge = self.edge
        if status >= 500 or self.endpoint.streak:
            forward.note_answer(client, request, self.endpoint)
        client.deadline = edge.now + client.limits.stream_s
        client.keep = request.head.keep and not request.left and not edge.draining
        length = head.length
        if status == 204 or status == 304 or request.head.method == b"HEAD":
            length = 0
        lines = head.lines
        if not length and head.length == CHUNKED and not request.head.minor:
            lines = _CODING.sub(b"", lines)  # a word that an HTTP/1.0 client must not see
        if length >= 0:
            self._mode = _SIZED
            self._left = length
        else:
            lines = self._frame(client, request, length, lines)
        if request.ruled is not None:
            lines = policing.answer_lines(request, lines)
        date = b"" if head.dated else edge.date
        size = len(data) - head.end
        if self._mode == _SIZED and size <= self._left:
            # The common case: head and body in one write.
            client.transport.write(client.whole(request, lines, date, data, head.end))
            self._left -= size
            request.sent += size
            if not self._left:
                self._end(client)
            return
        client.transport.write(glue.glue(lines, date, client.tail(request), b"", b""))
        self._read_body(client, data[head.end :])

    def _frame(self, client: Client, request: Request, length: int, lines: bytes) -> bytes:
        """Chooses how a body of unknown length goes to this client; returns the header lines that say so."""
        if length == CHUNKED:
            self._chunked = Chunked()
            if request.head.minor:
                self._mode = _CHUNKS
                return lines
            self._mode = _UNCHUNK
            client.keep = False
            return _CODING.sub(b"", lines)
        self._keep = False  # it ends with the connection
        if request.head.minor:
            self._mode = _RECHUNK
            return lines + b"Transfer-Encoding: chunked\r\n"
        self._mode = _RAW
        client.keep = False
        return lines

    # --- bodies ------------------------------------------------------------------------------------------------------

    def _read_body(self, client: Client, data: bytes) -> None:
        request = self._request
        client.deadline = self.edge.now + client.limits.stream_s
        size = len(data)
        mode = self._mode
        if mode == _SIZED:
            if size > self._left:
                self._keep = False  # bytes that belong to no answer: never used again
                data = data[: self._left]
                size = self._left
            self._left -= size
            client.transport.write(data)
            request.sent += size
            if not self._left:
                self._end(client)
        elif mode in (_RAW, _RECHUNK):
            request.sent += size
            if size:
                client.transport.write(data if mode == _RAW else b"%x\r\n%b\r\n" % (size, data))
        else:
            self._read_chunks(client, request, data)

    def _read_chunks(self, client: Client, request: Request, data: bytes) -> None:
        chunked = self._chunked
        payload: list[bytes] | None = [] if self._mode == _UNCHUNK else None
        try:
            stop = chunked.feed(data, 0, payload)
        except Refused:
            client.break_off()
            return
        if stop < len(data):
            self._keep = False
            data = data[:stop]
        if payload is not None:
            data = b"".join(payload)
        request.sent += len(data)
        if data:
            client.transport.write(data)
        if chunked.done:
            self._end(client)

    def _end(self, client: Client) -> None:
        """The answer is whole: back into the pool, unless something is left over on either side."""
        request = self._request
        self._part(client)
        self._served += 1
        if self._keep and not request.left:
            if client.write_paused:
                self.resume()
            self.give_back()
        else:
            self.transport.abort()
        client.finish()

    def _part(self, client: Client) -> None:
        self.client = None
        client.upstream = None
        self.endpoint.in_flight -= 1


def take(edge: Edge, endpoint: Endpoint, careful: bool) -> Upstream | None:
    """Takes the most recently used connection from the endpoint's pool.

    Args:
        careful: look whether it is still open even when it was used a moment ago (the request can't be sent twice).
    """
    if careful and endpoint.idle_s < TICK_S:
        return None  # the app closes them sooner than our clock can tell
    idle = endpoint.idle
    while idle:
        upstream: Upstream = idle.pop()
        if (careful or upstream._since != edge.now) and upstream._is_stale():
            upstream.learn()
            upstream.transport.abort()
            continue
        return upstream
    return None
