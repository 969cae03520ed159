"""What every client connection can do with a request that the router answers itself, and how a connection ends.

edge/server.py adds the reading. An answer is whole and framed, or the connection is broken off so that no client can
take half of one for all of it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final, Protocol

from kernel.errors import ErrorKind
from router import clock
from router.core import glue, timing
from router.core.request import ANSWER, DONE, ERROR, LOCAL, Request
from router.core.trust import Peer
from router.core.waits import Waits
from router.edge import policing
from router.edge.context import Edge
from router.edge.pages import render
from router.edge.receiver import Receiver
from router.edge.transport import Transport


class Source(Protocol):
    """Where a client's answer comes from: an upstream connection, or what the cache puts in its place."""

    def pause(self) -> None:
        """The client does not read."""

    def resume(self) -> None:
        """The client reads again."""

    def write(self, data: bytes) -> None:
        """More of the request's body."""

    def drop(self) -> None:
        """The client has no more use for it."""


# How long a client may go on sending behind its last answer: between two reads, and in all (as nginx does).
_LINGER_S: Final = 2.0
_LONGEST_LINGER_S: Final = 30.0
# Why reading from the client is paused; it goes on when no reason is left.
HELD_BODY, HELD_PIPELINE, HELD_UPLOAD, HELD_ANSWERS = 1, 2, 4, 8
_RESET: Final = struct.pack("ii", 1, 0)
_REASONS: Final = {
    200: b"OK",
    204: b"No Content",
    206: b"Partial Content",
    301: b"Moved Permanently",
    302: b"Found",
    303: b"See Other",
    304: b"Not Modified",
    307: b"Temporary Redirect",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    416: b"Range Not Satisfiable",
    417: b"Expectation Failed",
    421: b"Misdirected Request",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}


class Answering(Receiver):
    """A client connection, as far as answers and its end go.

    Attributes:
        deadline: when `expire` is called (seconds of the worker's coarse clock); 0 for never.
        keep: the connection goes on after this answer.
        write_paused: the client does not read as fast as we write.
        added: header lines for the app that are the same for all plain requests of this connection.
        out: head (and first body bytes) for the upstream, kept while the request may be sent again.
        held: body bytes that wait for an upstream connection.
        limits: the waits of this request in seconds: the settings', or what its route's rules make of them.
    """

    __slots__ = (
        "_buffer",
        "_drained",
        "_half",
        "_holds",
        "_linger_until",
        "_lingering",
        "_turning",
        "_unsent",
        "added",
        "deadline",
        "edge",
        "held",
        "keep",
        "limits",
        "out",
        "peer",
        "request",
        "task",
        "transport",
        "upstream",
        "write_paused",
    )

    transport: Transport
    peer: Peer

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.limits: Waits = edge.waits
        self.request: Request | None = None
        self.upstream: Source | None = None
        self.deadline = 0.0
        self.keep = True
        self.write_paused = False
        self.out = self.added = b""
        self.held: list[bytes] = []
        self.task: asyncio.Task[None] | None = None
        self._buffer: bytes | bytearray = b""
        self._holds = 0
        self._lingering = False
        self._linger_until = 0.0
        self._half = False  # the client has ended its side behind requests that still wait in the buffer
        self._turning = False
        self._unsent = 0
        self._drained: asyncio.Future[None] | None = None

    def go_on_reading(self) -> None:
        """The connection is free for the request that came in behind the last one."""
        raise NotImplementedError

    # --- answers -----------------------------------------------------------------------------------------------------

    def refuse(self, kind: ErrorKind, detail: str, more: bytes = b"", retry_after: int = 5) -> None:
        """Answers the request with an error page of the router's own; breaks off when an answer has begun."""
        request = self.request
        if request is None:
            return
        if request.phase in (ANSWER, LOCAL):
            self.break_off()
            return
        self._let_go()
        request.error = kind.code
        request.kind = ERROR
        self.edge.metrics.failed(kind.code)
        lines, page = render(kind, detail, request.id, request.head.header(b"accept"), retry_after)
        self.answer(request, kind.status, lines.partition(b"\r\n")[2] + more, page)

    def answer(self, request: Request, status: int, lines: bytes, body: bytes) -> None:
        """Gives a whole answer of the router's own.

        Args:
            lines: header lines beside Content-Length, Date, X-Request-Id and Connection.
            body: left out for HEAD.
        """
        self.begin_answer(request, status, lines, len(body), b"" if request.head.method == b"HEAD" else body)
        self.finish()

    def begin_answer(self, request: Request, status: int, lines: bytes, length: int, body: bytes = b"") -> None:
        """Writes the head of a local answer and the beginning of its body; `finish` ends it."""
        request.move(LOCAL)
        request.status = status
        if request.ruled is not None:
            lines = policing.answer_lines(request, lines)
        request.sent += len(body)
        self.keep = request.head.keep and not request.left and not self.edge.draining
        sized = b"" if status in (204, 304) else b"Content-Length: %d\r\n" % length
        self.transport.write(
            b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b""))
            + lines
            + sized
            + self.edge.date
            + self.tail(request)
            + body
        )

    def tail(self, request: Request) -> bytes:
        """The last header lines of every answer, with the empty line."""
        return self.whole(request, b"", b"", b"", 0)

    def whole(self, request: Request, lines: bytes, date: bytes, data: bytes, at: int) -> bytes:
        """An answer in one piece: its lines, the last ones of every answer, and `data` from `at` on."""
        end = b"\r\n"
        if not self.keep:
            end = b"Connection: close\r\n\r\n"
        elif not request.head.minor:
            end = b"Connection: keep-alive\r\n\r\n"
        times = self._timing(request) if self.edge.timed else b""
        return glue.glue_answer(lines, date, request.id, times, end, data, at)

    def _timing(self, request: Request) -> bytes:
        if request.first:
            return timing.proxied(request.first - request.started, request.queued, request.connecting, request.cold)
        return timing.own(clock.perf_counter() - request.started)

    def finish(self) -> None:
        """The answer is whole: goes on to the next request, or closes."""
        request = self.request
        if request is None:
            return
        request.move(DONE)
        edge = self.edge
        edge.in_flight -= 1
        self.request = None
        self.out = b""
        if request.ruled is not None:
            policing.ended(self, request)
        self.account(request)
        if not self.keep:
            if request.left or self._buffer:
                self._linger()
            else:
                self._close()
            return
        self.deadline = edge.now + edge.waits.keep_alive_s
        if self._holds:
            self.go_on(HELD_BODY | HELD_PIPELINE | HELD_UPLOAD)
        if self._buffer:
            self.go_on_reading()
        elif self._half:
            self._close()

    # --- back-pressure -----------------------------------------------------------------------------------------------

    async def drained(self) -> None:
        """Waits until the client has read enough for more to be written (for answers that a task streams)."""
        if self.write_paused and not self.transport.is_closing():
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained
            self._drained = None

    def hold(self, reason: int) -> None:
        """Stops reading from the client until `go_on` is called for every reason."""
        if not self._holds and not self.transport.is_closing():
            self.transport.pause_reading()
        self._holds |= reason

    def go_on(self, reason: int) -> None:
        """Takes back one reason not to read."""
        if self._holds:
            self._holds &= ~reason
            if not self._holds and not self.transport.is_closing():
                self.transport.resume_reading()

    # --- ends --------------------------------------------------------------------------------------------------------

    def break_off(self) -> None:
        """Ends the connection in the middle of an answer so that the client cannot take it for whole."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _close(self) -> None:
        """Closes behind what was written, if the client takes it (`_let_drain`)."""
        self.deadline = self.edge.now + self.edge.waits.stream_s
        self.transport.close()

    def _let_drain(self) -> None:
        """The client had its time to read the last answers: it gets more as long as it uses it."""
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent != self._unsent:
            self._unsent = unsent
            self.deadline = self.edge.now + self.edge.waits.stream_s
        else:
            self.transport.abort()

    def _end_half(self) -> None:
        """A client that has ended its side: closes when nothing that it sent can be answered any more."""
        if not self._holds & HELD_ANSWERS and (self.request is None or self.request.left):
            self._close()

    def _linger(self) -> None:
        """Closes without losing the answer: a reset for unread bytes would take it from the client's buffer."""
        self._lingering = True
        self._buffer = b""
        self.deadline = self.edge.now + _LINGER_S
        self._linger_until = self.edge.now + _LONGEST_LINGER_S
        if self._holds:
            self.go_on(self._holds)
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def _linger_on(self) -> None:
        """It still sends what nobody wants; a reset now could cost it the answer."""
        if not self.transport.get_write_buffer_size():
            self.deadline = min(self.edge.now + _LINGER_S, self._linger_until)

    def _let_go(self) -> None:
        """Parts from the upstream connection, which cannot be used again, and from a task that answers."""
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.drop()
        task, self.task = self.task, None
        if task is not None and task is not _current_task():
            task.cancel()
        self.held = []

    def account(self, request: Request) -> None:
        """Counts and notes a request that has ended."""
        edge, ended = self.edge, clock.perf_counter()
        edge.metrics.answered(request, ended)
        activity = request.activity
        if activity is not None:
            activity.end(request, ended)
        if edge.access_log is not None:
            edge.access_log.add(request, self.peer.client_ip(request.head), ended)


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
