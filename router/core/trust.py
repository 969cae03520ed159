"""Who the client is, and what the router adds to a request so that the app knows.

By default nothing that a client says about itself or about other proxies is believed: X-Forwarded-* and its kin are
replaced. A peer in a trusted network (a load balancer, Cloudflare) is believed and appended to. A well-formed
X-Request-Id is kept from anybody, since it names a request and proves nothing; otherwise one is born here. A valid
traceparent passes, a malformed one is cut, and none is made up: its sampled flag would decide for the app's tracer.
"""

from __future__ import annotations

import ipaddress
import os
from typing import Final

from router.core.head import RequestHead

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RequestIds:
    """Makes request ids, 32 hex digits: 16 random ones for this worker, 16 that count."""

    __slots__ = ("_count", "_prefix")

    def __init__(self) -> None:
        self._prefix: Final = os.urandom(8).hex().encode()
        self._count = 0

    def next(self) -> bytes:
        """A new id."""
        self._count += 1
        return b"%b%016x" % (self._prefix, self._count)


class Peer:
    """The other end of a client connection.

    Attributes:
        ip: its address as text; "" for a unix socket.
        trusted: whether its word on the client is kept.
        scheme: http or https, of the connection itself.
    """

    __slots__ = ("_plain", "ip", "scheme", "trusted")

    def __init__(self, ip: str, networks: tuple[Network, ...] = (), proto: str = "http") -> None:
        self.ip = ip.partition("%")[0].removeprefix("::ffff:")
        self.trusted = bool(networks) and _within(self.ip, networks)
        self.scheme = proto
        self._plain = self._lines(self.ip.encode() or b"unknown", proto.encode())

    @staticmethod
    def _lines(chain: bytes, proto: bytes) -> bytes:
        return (
            b"X-Forwarded-For: "
            + chain
            + b"\r\nX-Forwarded-Proto: "
            + proto
            + b"\r\nVia: 1.1 shipoff\r\nX-Request-Id: "
        )

    def client_ip(self, head: RequestHead) -> str:
        """The address that counts as the client's."""
        return self.ip

    def client_scheme(self, head: RequestHead) -> str:
        """How the client came: http or https."""
        if self.trusted and head.forwarded_proto in (b"http", b"https"):
            return head.forwarded_proto.decode()
        return self.scheme

    def lines(self, head: RequestHead) -> bytes:
        """The header lines to add to a request; the last one awaits the request id."""
        if head.plain or not self.trusted:
            return self._plain
        chain = head.forwarded_for + b", " + self.ip.encode() if head.forwarded_for else self.ip.encode()
        return self._lines(chain, head.forwarded_proto if head.forwarded_proto in (b"http", b"https") else b"http")


def networks(text: str) -> tuple[Network, ...]:
    """Parses comma-separated CIDR ranges.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _within(ip: str, ranges: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return any(address in network for network in ranges)
