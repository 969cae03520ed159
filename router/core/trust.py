"""Who the client is, and what the router adds to a request so that the app knows.

By default nothing that a client says about itself or about other proxies is believed: X-Forwarded-* and its kin are
replaced. A peer in a trusted network (a load balancer, Cloudflare) is believed about the hop before it, and that hop,
if it is trusted too, about the one before: the client is the first hop from the right that nobody vouches for. What
stands left of it was written by the client itself and goes no further, since apps read that end of the list.

A well-formed X-Request-Id is kept from anybody, since it names a request and proves nothing; otherwise one is born here
(or taken from Cloudflare's ray). A valid traceparent passes, a malformed one is cut, and none is made up: its sampled
flag would decide for the app's tracer.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from router.core.certificates import Served
from router.core.fields import CLOUDFLARE, NOBODY, PROXY
from router.core.head import RequestHead
from router.core.ranges import Ranges, plain

_MOST_HOPS: Final = 32


class Trust:
    """Whose word is taken.

    Attributes:
        proxies: networks whose X-Forwarded-* are believed.
        cloudflare: Cloudflare's networks, where these are believed; CF-Connecting-IP counts from there only.
        pulls: Cloudflare is believed only over connections with a client certificate (authenticated origin pulls).
        senders: networks that must send a PROXY header.
    """

    __slots__ = ("cloudflare", "proxies", "pulls", "senders")

    def __init__(
        self,
        proxies: Ranges = Ranges(),  # noqa: B008 - immutable
        cloudflare: Ranges = Ranges(),  # noqa: B008
        pulls: bool = False,
        senders: Ranges = Ranges(),  # noqa: B008
    ) -> None:
        self.proxies = proxies
        self.cloudflare = cloudflare
        self.pulls = pulls
        self.senders = senders

    def of(self, ip: str, verified: bool = False) -> int:
        """How far a hop is believed about the one before it: NOBODY, CLOUDFLARE or PROXY.

        Args:
            verified: it has shown a client certificate of the CA that was asked for.
        """
        if self.proxies and ip in self.proxies:
            return PROXY
        if self.cloudflare and (verified or not self.pulls) and ip in self.cloudflare:
            return CLOUDFLARE
        return NOBODY


class Peer:
    """The other end of a client connection.

    Args of the constructor:
        verified: as in `Trust.of`.

    Attributes:
        ip: its address as text; "" for a unix socket.
        trusted: how far its word on the client is kept: NOBODY, CLOUDFLARE or PROXY.
        scheme: http or https, of the connection itself.
        served: what it was served, when the connection is TLS.
        plain: what `lines` gives for a head that claims nothing.
    """

    __slots__ = ("_believed", "_chain", "_claims", "_trust", "ip", "plain", "scheme", "served", "trusted")

    def __init__(
        self,
        ip: str,
        trust: Trust | None = None,
        scheme: str = "http",
        served: Served | None = None,
        verified: bool = False,
    ) -> None:
        self.ip = plain(ip)
        self.scheme = scheme
        self.served = served
        self.trusted = trust.of(self.ip, verified) if trust is not None else NOBODY
        self._trust = trust
        self.plain = self._lines(self.ip.encode() or b"unknown", scheme.encode())
        # What was claimed last, the chain of hops that this gave (client first), and Cloudflare's word when it counted.
        self._claims = (b"", b"")
        self._chain = [self.ip]
        self._believed = b""

    @staticmethod
    def _lines(chain: bytes, proto: bytes, believed: bytes = b"") -> bytes:
        return (
            believed
            + b"X-Forwarded-For: "
            + chain
            + b"\r\nX-Forwarded-Proto: "
            + proto
            + b"\r\nVia: 1.1 shipoff\r\nX-Request-Id: "
        )

    def client_ip(self, head: RequestHead) -> str:
        """The address that counts as the client's."""
        if not self.trusted:
            return self.ip
        return self._hops(head)[0]

    def client_scheme(self, head: RequestHead) -> str:
        """How the client came: http or https."""
        if self.trusted and head.forwarded_proto in (b"http", b"https"):
            return head.forwarded_proto.decode()
        return self.scheme

    def lines(self, head: RequestHead) -> bytes:
        """The header lines to add to a request; the last one awaits the request id."""
        if head.plain or not self.trusted:
            lines = self.plain
        else:
            chain = ", ".join(self._hops(head)).encode()
            lines = self._lines(chain, self.client_scheme(head).encode(), self._believed)
        # Via names the version that the request came with (RFC 9110, section 7.6.3).
        return lines if head.minor else lines.replace(b"\r\nVia: 1.1 ", b"\r\nVia: 1.0 ")

    def _hops(self, head: RequestHead) -> list[str]:
        """The addresses from the client to this peer."""
        claims = (head.forwarded_for, head.connecting_ip)
        if claims != self._claims:
            self._claims = claims
            self._chain, self._believed = self._follow(*claims)
        return self._chain

    def _follow(self, forwarded_for: bytes, connecting_ip: bytes) -> tuple[list[str], bytes]:
        named = forwarded_for.split(b",") if forwarded_for else []
        chain, trusted = [self.ip], self.trusted
        while trusted and len(chain) < _MOST_HOPS:
            if trusted == CLOUDFLARE and (ip := _address(connecting_ip)):
                return [ip, *reversed(chain)], b"CF-Connecting-IP: " + ip.encode() + b"\r\n"
            ip = _address(named.pop()) if named else ""
            if not ip:
                break  # nothing before it, or nothing that is an address: the last hop that is known counts
            chain.append(ip)
            trusted = self._trust.of(ip) if self._trust is not None else NOBODY
        chain.reverse()
        return chain, b""


UNMET: Final = Peer("")


def networks(text: str) -> Ranges:
    """Parses comma-separated CIDR ranges.

    Raises:
        ValueError: one of them is none.
    """
    return Ranges(text.split(","))


def _address(sent: bytes) -> str:
    """An address of X-Forwarded-For, which some proxies write with a port; "" when it is none."""
    text = sent.strip(b" \t").decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(plain(text)))
    except ValueError:
        return ""
