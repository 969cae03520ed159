"""What a connection goes through before its first request: a PROXY header, a TLS handshake, or both.

It has one deadline for all of it and a bounded buffer; of too many at once the one that has waited longest goes, since
a handshake in good faith is over in a moment. Nothing of the data path knows of it: once through, the connection is a
`Client` with a `Peer`, on a stream or on TLS.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from router.core.certificates import Certificate, Served
from router.core.client_hello import HANDSHAKE, ClientHello, read_client_hello
from router.core.errors import PLAIN_HTTP, Refused
from router.core.proxy_protocol import read_proxy_header
from router.core.ranges import plain
from router.core.trust import Peer
from router.edge.pages import render
from router.edge.server import Client
from router.edge.tls import TlsStream

if TYPE_CHECKING:
    from router.edge.context import Edge
    from router.edge.stream import Stream

log = logging.getLogger(__name__)
_LINGER_S: Final = 2.0
_FATAL: Final = b"\x15\x03\x03\x00\x02\x02"
_DECODE_ERROR, _UNRECOGNIZED_NAME, _NO_PROTOCOL = b"\x32", b"\x70", b"\x78"
_HTTP: Final = b"http/1.1"
# What is awaited.
_PROXY, _HELLO, _FINISHED, _NOTHING = range(4)


class Doorway(asyncio.Protocol):
    """A connection that has not come in yet.

    Args of the constructor:
        secure: it came in where TLS is spoken.

    Attributes:
        deadline: when `expire` is called (seconds of the worker's coarse clock).
    """

    __slots__ = (
        "_awaits",
        "_buffer",
        "_edge",
        "_incoming",
        "_ip",
        "_outgoing",
        "_secure",
        "_secured",
        "_served",
        "_stream",
        "deadline",
    )

    _stream: Stream
    _secured: ssl.SSLObject
    _served: Served

    def __init__(self, edge: Edge, secure: bool) -> None:
        self._edge = edge
        self._secure = secure
        self._awaits = _HELLO
        self._buffer = b""
        self._ip = ""
        self._incoming = self._outgoing = _NO_BIO
        self.deadline = edge.now + edge.settings.handshake_s

    # --- the transport's callbacks -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = transport  # type: ignore[assignment]
        edge = self._edge
        name = transport.get_extra_info("peername")
        self._ip = plain(name[0]) if isinstance(name, tuple) else ""
        if edge.trust.senders and self._ip in edge.trust.senders:
            self._awaits = _PROXY
        elif not self._secure:
            self._enter()
            return
        edge.doorways[self] = None
        if len(edge.doorways) > edge.settings.handshakes:
            next(iter(edge.doorways)).expire()

    def data_received(self, data: bytes) -> None:
        if self._awaits == _FINISHED:
            self._incoming.write(data)
            self._shake()
        elif self._awaits != _NOTHING:
            self._buffer += data
            try:
                self._read()
            except Refused as refused:
                self._refuse(refused)

    def eof_received(self) -> bool:
        if self._buffer and self._awaits != _NOTHING:
            self._count("went away")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._edge.doorways.pop(self, None)

    def expire(self) -> None:
        """The deadline has passed, or others wait who have come later."""
        self._edge.doorways.pop(self, None)
        if self._awaits != _NOTHING:
            self._count("took too long")
        self._stream.abort()

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        if self._awaits == _PROXY:
            header = read_proxy_header(self._buffer)
            if header is None:
                return
            self._ip = header.ip or self._ip
            self._buffer = self._buffer[header.end :]
            self._awaits = _HELLO
            if not self._secure:
                self._enter()
                return
        if self._buffer and self._buffer[0] != HANDSHAKE and self._buffer[:1].isalpha():
            self._answer_plainly()
            return
        hello = read_client_hello(self._buffer)
        if hello is not None:
            self._choose(hello)

    def _choose(self, hello: ClientHello) -> None:
        """Picks the certificate of the host that the client names."""
        certificates = self._edge.certificates
        certificate = certificates.find(hello.host)
        if certificate is None:
            self._leave(_FATAL + _UNRECOGNIZED_NAME, "asks for a name without a certificate")
        elif hello.protocols and _HTTP not in hello.protocols:
            self._leave(_FATAL + _NO_PROTOCOL, "does not offer http/1.1")
        else:
            fallback = certificate is certificates.default and not certificate.covers(hello.host)
            self._begin(certificate, fallback)

    def _begin(self, certificate: Certificate, fallback: bool) -> None:
        self._served = Served(certificate, fallback)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context: ssl.SSLContext = certificate.context
        self._secured = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(self._buffer)
        self._buffer = b""
        self._awaits = _FINISHED
        self._shake()

    def _shake(self) -> None:
        try:
            self._secured.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._leave(self._outgoing.read(), error.reason or str(error))
        else:
            self._send()
            self._edge.metrics.handshakes += 1
            self._edge.metrics.resumptions += bool(self._secured.session_reused)
            self._enter()

    def _enter(self) -> None:
        """The connection comes in."""
        edge, stream = self._edge, self._stream
        edge.doorways.pop(self, None)
        self._awaits = _NOTHING
        if self._secure:
            verified = bool(self._served.certificate.client_ca)
            peer = Peer(self._ip, edge.trust, "https", self._served, verified)
            TlsStream(stream, self._secured, self._incoming, self._outgoing, Client(edge, peer))
            return
        client = Client(edge, Peer(self._ip, edge.trust))
        stream.set_protocol(client)
        client.connection_made(stream)
        if self._buffer:
            client.data_received(self._buffer)

    # --- those who do not come in ------------------------------------------------------------------------------------

    def _refuse(self, refused: Refused) -> None:
        if self._awaits == _PROXY:
            self._edge.metrics.failed(refused.kind.code)
            log.info("a connection from %s is refused: %s", self._ip, refused)
            self._awaits = _NOTHING
            self._stream.abort()
        else:
            self._leave(_FATAL + _DECODE_ERROR, refused.detail)

    def _answer_plainly(self) -> None:
        """HTTP where TLS is spoken: a page says so."""
        edge = self._edge
        edge.metrics.failed(PLAIN_HTTP.code)
        lines, page = render(PLAIN_HTTP, "plain HTTP was sent to a port that speaks TLS", edge.ids.next(), b"text/html")
        ending = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(page)
        self._leave(lines + edge.date + ending + page, "speaks HTTP without TLS")

    def _leave(self, last: bytes, why: str) -> None:
        """Says a last word, and waits a little so that it is not lost to a reset."""
        self._count(why)
        self._awaits = _NOTHING
        self._buffer = b""
        self.deadline = self._edge.now + _LINGER_S
        if last:
            self._stream.write(last)
        if not self._stream.is_closing():
            self._stream.write_eof()

    def _count(self, why: str) -> None:
        self._edge.metrics.handshake_failures += 1
        log.debug("no connection with %s: it %s", self._ip, why)

    def _send(self) -> None:
        if self._outgoing.pending:
            self._stream.write(self._outgoing.read())


_NO_BIO: Final = ssl.MemoryBIO()


def visitors(edge: Edge, secure: bool) -> Callable[[], Doorway | Client]:
    """What makes the protocol of each connection that a listener accepts; the settings may change between two."""

    def visitor() -> Doorway | Client:
        return Doorway(edge, secure) if secure or edge.trust.senders else Client(edge)

    return visitor
