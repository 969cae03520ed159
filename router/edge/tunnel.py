"""Upgraded connections (WebSocket and others): bytes are relayed both ways and not understood.

A change of the table never cuts a tunnel. Each direction closes on its own; a side that does not read stops the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router import clock
from router.core.activity import Activity
from router.core.head import ResponseHead
from router.core.request import Request
from router.edge.context import Edge
from router.edge.transport import Transport

if TYPE_CHECKING:
    from router.edge.server import Client
    from router.edge.upstream import Upstream


class _End:
    """One side of a tunnel: the protocol of its connection."""

    __slots__ = ("_edge", "_finished", "_tunnel", "peer", "transport")

    peer: _End

    def __init__(self, tunnel: Tunnel, transport: Transport) -> None:
        self._tunnel = tunnel
        self._edge = tunnel.edge
        self._finished = False
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._tunnel.touched = self._edge.now
        self.peer.transport.write(data)

    def pause_writing(self) -> None:
        if not self.peer.transport.is_closing():
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def eof_received(self) -> bool:
        self._finished = True
        if self.peer._finished or self.peer.transport.is_closing():
            return False
        self.peer.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.ended()
        if not self.peer.transport.is_closing():
            self.peer.transport.close() if exc is None else self.peer.transport.abort()


class Tunnel:
    """An upgraded connection.

    Attributes:
        touched: when something went through last (seconds of the worker's coarse clock).
    """

    __slots__ = ("_activity", "_endpoint", "_ends", "edge", "touched")

    def __init__(self, edge: Edge, client: Client, upstream: Upstream, activity: Activity) -> None:
        self.edge = edge
        self.touched = edge.now
        self._activity = activity
        activity.begin(clock.perf_counter())
        self._endpoint = upstream.endpoint
        self._endpoint.in_flight += 1
        one, other = _End(self, client.transport), _End(self, upstream.transport)
        one.peer, other.peer = other, one
        self._ends = (one, other)
        edge.tunnels.add(self)
        edge.metrics.tunnels += 1
        client.transport.set_protocol(one)
        upstream.transport.set_protocol(other)

    def close(self) -> None:
        """Closes both sides, after what has been written."""
        for end in self._ends:
            if not end.transport.is_closing():
                end.transport.close()

    def ended(self) -> None:
        """One of the sides has closed."""
        if self in self.edge.tunnels:
            self.edge.tunnels.discard(self)
            self._endpoint.in_flight -= 1
            self._activity.leave(clock.perf_counter())
            self.edge.closed(self._endpoint)


def open_tunnel(client: Client, upstream: Upstream, request: Request, head: ResponseHead, early: bytes) -> None:
    """Makes a tunnel of a client's and an upstream's connection.

    Args:
        request: the one that asked for it.
        client, upstream: they give up their connections.
        head: the 101.
        early: what the upstream sent behind it.
    """
    paused = client.write_paused
    lines = head.lines + b"Connection: upgrade\r\nUpgrade: " + head.upgrade + b"\r\n\r\n"
    release, now = request.release, request.started
    sent_early = client.upgraded()
    Tunnel(client.edge, client, upstream, client.edge.activities.of(release, now))
    client.transport.write(lines + early)
    if sent_early:
        upstream.write(sent_early)
    if paused:
        upstream.pause()
