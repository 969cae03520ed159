"""The client's side of a connection: reads heads and bodies, hands each request to what answers it, ends it.

One `Client` per connection and no task per request: everything happens in the callbacks of the transport. What it may
do next is the table of core/request.py. Memory is bounded: a head by MAX_HEAD, body bytes that wait for an upstream and
pipelined requests by `_MOST_HELD`, answers by the transport's high-water mark, which stops the upstream's reading.
"""

from __future__ import annotations

import re
from typing import Final

from router import clock
from router.core.errors import (
    BAD_HOST,
    CLIENT_TIMEOUT,
    FILES_UNAVAILABLE,
    MAINTENANCE,
    MISDIRECTED,
    NO_ROUTE,
    UPSTREAM_TIMEOUT,
    Refused,
)
from router.core.head import MAX_HEAD, RequestHead, illegal, read_request
from router.core.host import canonical
from router.core.records import DYNAMIC, REDIRECT, STATIC
from router.core.request import ANSWER, DIAL, DONE, LOCAL, LOST, NAMES, SENT, TUNNEL, TUNNELED, Request, fresh
from router.core.trust import UNMET, Peer
from router.edge import forward, policing
from router.edge.answering import HELD_ANSWERS, HELD_BODY, HELD_PIPELINE, Answering
from router.edge.context import Edge
from router.edge.pages import accept_in, render
from router.edge.transport import Transport

_MOST_HELD: Final = 65536
_LEADING: Final = re.compile(rb"(?:\r\n)+").match


class Client(Answering):
    """One client connection.

    Args of the constructor:
        peer: who it is where edge/doorway.py has found out; else the transport's peer.
    """

    __slots__ = ()

    def __init__(self, edge: Edge, peer: Peer = UNMET) -> None:
        super().__init__(edge)
        self.peer = peer

    # --- the transport's callbacks -----------------------------------------------------------------------------------

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport
        edge = self.edge
        if self.peer is UNMET:
            name = transport.get_extra_info("peername")
            self.peer = Peer(name[0] if isinstance(name, tuple) else "", edge.trust)
        self.added = self.peer.plain
        self.deadline = edge.now + edge.waits.head_s
        edge.clients.add(self)
        edge.metrics.accepted += 1

    def data_received(self, data: bytes) -> None:
        request = self.request
        if request is None:
            if self._lingering:
                self._linger_on()
            else:
                self._read_head(data)
        elif request.left:
            self._read_body(request, data)
        else:
            self._buffer += data
            if len(self._buffer) > _MOST_HELD:
                self.hold(HELD_PIPELINE)

    def eof_received(self) -> bool:
        request = self.request
        if request is None or request.left or (request.ruled is not None and request.ruled.waits):
            return False  # who ends his side while he waits for an instance has most likely gone
        if self._buffer:
            self._half = True  # behind this request others wait that it wants answered too
        else:
            self.keep = False  # it sent all that it wanted to and waits for its answer
            request.head.keep = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        edge = self.edge
        edge.clients.discard(self)
        self.deadline = 0.0
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        request, self.request = self.request, None
        if request is not None:
            request.move(LOST)
            edge.in_flight -= 1
            edge.metrics.aborted += 1
            if request.activity is not None:
                request.activity.end(request, clock.perf_counter())
            if edge.access_log is not None:
                edge.access_log.add(request, self.peer.client_ip(request.head), clock.perf_counter())
            if request.ruled is not None:
                policing.ended(self, request)
        self._let_go()

    def pause_writing(self) -> None:
        self.write_paused = True
        if self.upstream is not None:
            self.upstream.pause()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self.upstream is not None:
            self.upstream.resume()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._holds & HELD_ANSWERS:
            self.go_on(HELD_ANSWERS)
            if self.request is None:
                self.go_on_reading()

    # --- heads -------------------------------------------------------------------------------------------------------

    def _read_head(self, data: bytes) -> None:
        if self._buffer:
            seen = len(self._buffer)
            buffer = bytearray(self._buffer) if isinstance(self._buffer, bytes) else self._buffer
            buffer += data
            self._buffer = buffer
            whole = buffer.find(b"\r\n\r\n", max(0, seen - 3)) >= 0
            if not whole and len(buffer) <= MAX_HEAD and not illegal(buffer, seen):
                return
            data = bytes(buffer)
            self._buffer = b""
        self._turn(data)

    def _turn(self, data: bytes) -> None:
        """Serves the requests in the data, one after the other, until one has to wait or the data ends."""
        self._turning = True
        while data and self.request is None and not self._lingering:
            if self.write_paused:  # it does not read the answers that it has: it gets no more of them yet
                self._buffer = data
                self.deadline = self.edge.now + self.edge.waits.stream_s
                self.hold(HELD_ANSWERS)
                break
            if data[0] < 33 and (blank := _LEADING(data)):  # RFC 9112, section 2.2
                data = data[blank.end() :]
                continue
            try:
                head = read_request(data, self.peer.trusted)
            except Refused as refused:
                self._refuse_head(refused, data)
                break
            if head is None:
                self._buffer = bytearray(data)
                if data != b"\r":  # half of a blank line begins nothing
                    self.deadline = self.edge.now + self.edge.waits.head_s
                break
            self._begin(head, data)
            if self.request is None:
                data, self._buffer = bytes(self._buffer), b""
        self._turning = False
        if self._half:
            self._end_half()

    def _begin(self, head: RequestHead, data: bytes) -> None:
        edge = self.edge
        request = fresh(head, head.request_id or edge.ids.next(), clock.perf_counter())
        self.request = request
        edge.in_flight += 1
        self.deadline = edge.now + edge.waits.answer_s
        body = b""
        end = head.end
        if len(data) > end:
            if request.left:
                try:
                    stop = request.take_body(data, end)
                except Refused as refused:
                    self.keep = False
                    self.refuse(refused.kind, str(refused.detail))
                    return
                body = data[end:stop]
                end = stop
            self._buffer = data[end:]
        self.out = body
        served = self.peer.served
        if served is not None and not served.admits(head.host, edge.certificates):
            self.refuse(MISDIRECTED, "this host cannot be asked for on this connection")
            return
        self.dispatch(request)

    def dispatch(self, request: Request) -> None:
        """Looks the request's route up in the table as it is now, and lets the right part answer."""
        edge, head = self.edge, request.head
        route = request.route = edge.table.find(head.host, head.target)
        if route is None:
            self._refuse_route(head)
        elif route.policy is not None and not policing.admit(self, request, route.policy):
            return  # answered by a rule, or waiting for one
        elif route.kind == DYNAMIC:
            forward.attempt(self, request, route)
        elif route.kind == STATIC:
            if edge.static is None:
                self.refuse(FILES_UNAVAILABLE, "this router has no object store")
            else:
                edge.static.serve(self, request, route)
        elif route.kind == REDIRECT:
            self.answer(request, route.status, b"Location: " + route.location.encode() + b"\r\n", b"")
        else:
            self.refuse(MAINTENANCE, "this site is under maintenance")

    def _refuse_route(self, head: RequestHead) -> None:
        if head.host and canonical(head.host) is None:
            self.keep = False
            head.keep = False
            self.refuse(BAD_HOST, "the Host header is not a host")
        elif not self.edge.table.version and not len(self.edge.table):
            self.refuse(NO_ROUTE, "nothing is deployed here yet")
        else:
            self.refuse(NO_ROUTE, "no site answers at this address")

    def _refuse_head(self, refused: Refused, data: bytes) -> None:
        edge, request_id = self.edge, self.edge.ids.next()
        edge.metrics.unread(refused.kind)
        if edge.access_log is not None:
            edge.access_log.unread(refused.kind, request_id, self.peer.ip, clock.perf_counter())
        lines, page = render(refused.kind, refused.detail, request_id, accept_in(data))
        self.transport.write(
            lines
            + edge.date
            + b"X-Request-Id: "
            + request_id
            + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(page)
            + page
        )
        self._linger()

    def go_on_reading(self) -> None:
        if not self._turning:
            data, self._buffer = bytes(self._buffer), b""
            self._turn(data)

    # --- bodies ------------------------------------------------------------------------------------------------------

    def _read_body(self, request: Request, data: bytes) -> None:
        try:
            stop = request.take_body(data, 0)
        except Refused as refused:
            self.keep = False
            request.head.keep = False
            self.refuse(refused.kind, refused.detail)
            return
        if stop < len(data):
            self._buffer += data[stop:]
            data = data[:stop]
        if request.ruled is not None and policing.outgrown(self, request):
            return
        settings = self.limits
        if self.upstream is not None:
            self.out = b""  # a body that goes on is not kept, so such a request is not sent twice
            self.upstream.write(data)
            if request.phase == SENT:
                self.deadline = self.edge.now + (settings.body_s if request.left else settings.answer_s)
        elif request.phase == DIAL:
            self.held.append(data)
            room = request.ruled is None or self.edge.guard.lanes.grew(request, len(data))
            if not room or request.received > _MOST_HELD:
                self.hold(HELD_BODY)

    def upgraded(self) -> bytes:
        """Hands the connection to a tunnel; returns the bytes that came in behind the head."""
        self.edge.clients.discard(self)
        self.deadline = 0.0
        request, self.request, self.upstream = self.request, None, None
        if request is not None:
            request.move(TUNNEL)
            request.move(DONE)
            self.edge.in_flight -= 1
            if request.ruled is not None:
                policing.ended(self, request)
            request.kind = TUNNELED
            self.account(request)
        early, self._buffer = bytes(self._buffer), b""
        if self._holds:
            self.go_on(self._holds)
        return early

    # --- ends --------------------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """The deadline has passed."""
        request = self.request
        self.deadline = 0.0
        if request is None:
            self._expire_idle()
        elif request.phase in (ANSWER, LOCAL):
            self.break_off()
        elif request.left and not self._holds:
            self.refuse(CLIENT_TIMEOUT, "the request's body did not come in time")
        else:
            forward.timed_out(self, request)
            self.refuse(UPSTREAM_TIMEOUT, "the app did not answer in time")

    def _expire_idle(self) -> None:
        if self._lingering or self.write_paused or self.transport.is_closing():
            self._let_drain()
        elif self._buffer:
            self._refuse_head(Refused(CLIENT_TIMEOUT, "the head did not come in time"), bytes(self._buffer))
        else:
            self._close()

    def retire(self) -> None:
        """The worker drains: an idle connection is closed."""
        if self.request is None and not self._buffer:
            self.transport.close()

    def describe(self) -> dict[str, object]:
        """What the debug door shows."""
        request = self.request
        return {
            "ip": self.peer.ip,
            "phase": NAMES[request.phase] if request else "IDLE",
            "host": request.head.host.decode("latin-1") if request else "",
            "target": request.head.target.decode("latin-1") if request else "",
            "reads": not self._holds,
            "expires_in_s": round(self.deadline - self.edge.now, 2) if self.deadline else None,
        }
