"""The first message of a TLS client (RFC 8446, section 4.1.2), as far as it decides which certificate is served.

It is read before any TLS state exists, so that each host has a context of its own: sessions of one host can't be
resumed at another (which would walk around the other's demand for a client certificate), and a slow or senseless client
costs a buffer and nothing else. Everything else in the message is OpenSSL's to judge.
"""

from __future__ import annotations

import re
from typing import Final

from router.core.errors import CLIENT_HELLO_INVALID, Refused

# A hello has 200 to 2,000 bytes; one with a large ticket and post-quantum keys stays far below this.
MAX_HELLO: Final = 32768
HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_LARGEST_RECORD: Final = 16384
_SERVER_NAME, _ALPN = 0, 16
_NAME: Final = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_-])?\.?").fullmatch


class ClientHello:
    """What a client asks for.

    Attributes:
        host: the name that it wants to talk to (RFC 6066), lower case without root dot; b"" when it names none.
        protocols: what it offers by ALPN (RFC 7301), empty when it does not use that.
    """

    __slots__ = ("host", "protocols")

    def __init__(self, host: bytes, protocols: tuple[bytes, ...]) -> None:
        self.host = host
        self.protocols = protocols


class _Fields:
    """A piece of the message, read field by field."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def take(self, size: int) -> bytes:
        """The next bytes."""
        start, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise Refused(CLIENT_HELLO_INVALID, "a field of the client's hello is longer than the hello")
        return self.data[start : self.at]

    def number(self, size: int) -> int:
        """The next bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    def block(self, size: int) -> bytes:
        """The next bytes that are preceded by their number."""
        return self.take(self.number(size))


def read_client_hello(data: bytes) -> ClientHello | None:
    """Reads the hello from the beginning of a connection's data.

    Returns:
        The hello, or None while it is incomplete.

    Raises:
        Refused: CLIENT_HELLO_INVALID; this is no TLS client, or one that nobody can talk to.
    """
    message = _message(data)
    if message is None:
        return None
    fields = _Fields(message)
    fields.take(34)  # version and random
    for size in (1, 2, 1):  # session, suites, compression
        fields.block(size)
    host = b""
    protocols: tuple[bytes, ...] = ()
    if fields:
        host, protocols = _extensions(_Fields(fields.block(2)))
    if fields:
        raise Refused(CLIENT_HELLO_INVALID, "there are bytes behind the client's hello")
    return ClientHello(host, protocols)


def _message(data: bytes) -> bytes | None:
    """The body of the first handshake message, which may be spread over records; None while it is incomplete."""
    at, message, whole = 0, b"", -1
    while whole < 0 or len(message) < whole:
        record = data[at : at + 5]
        if (record and record[0] != HANDSHAKE) or (len(record) > 1 and record[1] != 3):
            raise Refused(CLIENT_HELLO_INVALID, "the connection does not begin with a TLS handshake")
        if len(record) < 5:
            return None
        size = int.from_bytes(record[3:], "big")
        if not 0 < size <= _LARGEST_RECORD:
            raise Refused(CLIENT_HELLO_INVALID, "a TLS record is empty or too large")
        message += data[at + 5 : at + 5 + size]
        at += 5 + size
        if message and message[0] != _CLIENT_HELLO:
            raise Refused(CLIENT_HELLO_INVALID, "the first TLS message is no client hello")
        if len(message) >= 4:
            whole = 4 + int.from_bytes(message[1:4], "big")
            if whole > MAX_HELLO:
                raise Refused(CLIENT_HELLO_INVALID, f"the client's hello has more than {MAX_HELLO} bytes")
        if at > len(data):
            return None
    return message[4:whole]


def _extensions(fields: _Fields) -> tuple[bytes, tuple[bytes, ...]]:
    host, protocols, seen = b"", [], set()
    while fields:
        kind, body = fields.number(2), _Fields(fields.block(2))
        if kind in seen:
            raise Refused(CLIENT_HELLO_INVALID, "an extension of the client's hello comes twice")
        seen.add(kind)
        if kind == _SERVER_NAME and body:
            host = _host(_Fields(body.block(2)))
        elif kind == _ALPN:
            offered = _Fields(body.block(2))
            while offered:
                protocols.append(offered.block(1))
    return host, tuple(protocols)


def _host(names: _Fields) -> bytes:
    """The one host_name of the list (RFC 6066, section 3)."""
    kind, name = names.number(1), names.block(2)
    if kind or names or _NAME(name) is None:
        raise Refused(CLIENT_HELLO_INVALID, "the server name in the client's hello is not one host name")
    return name.rstrip(b".").lower()
