"""A strict reader of HTTP/1.1 requests for the tests, made in another way than the router's: octet by octet.

It takes what RFC 9112 says a sender may send and nothing else, so that two readers that agree with it agree with each
other: no pattern, no lower-cased copy, no repair. What is left over or missing is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
VALUE = frozenset({9, *range(32, 127), *range(128, 256)})
TARGET = frozenset(range(33, 127)) - {ord("#")}
HEX = {ord(c): n for n, c in enumerate("0123456789abcdef")} | {ord(c): n + 10 for n, c in enumerate("ABCDEF")}
CR, LF, COLON, SPACE, TAB, SEMICOLON, EQUALS, QUOTE, BACKSLASH = 13, 10, 58, 32, 9, 59, 61, 34, 92


class NotStrict(ValueError):
    """The bytes are not exactly whole requests."""


@dataclass
class Read:
    """A request as it was read."""

    method: bytes
    target: bytes
    version: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a header, by its name in any case and in the spelling of CGI."""
        return [value for key, value in self.headers if key.lower().replace(b"_", b"-") == name]


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def peek(self) -> int:
        if self.at >= len(self.data):
            raise NotStrict("it ends too early")
        return self.data[self.at]

    def expect(self, *octets: int) -> None:
        for octet in octets:
            if self.peek() != octet:
                raise NotStrict(f"octet {self.peek()} at {self.at} is not {octet}")
            self.at += 1

    def some(self, allowed: frozenset[int], least: int = 1) -> bytes:
        start = self.at
        while self.peek() in allowed:
            self.at += 1
        if self.at - start < least:
            raise NotStrict(f"octet {self.peek()} at {self.at} is not allowed there")
        return self.data[start : self.at]

    def blank_then(self, octet: int) -> bool:
        """Takes blanks and an octet, if that is what comes."""
        start = self.at
        self.some(frozenset((SPACE, TAB)), 0)
        if self.peek() == octet:
            self.at += 1
            return True
        self.at = start
        return False

    def exactly(self, size: int) -> bytes:
        if len(self.data) - self.at < size:
            raise NotStrict("its body ends too early")
        self.at += size
        return self.data[self.at - size : self.at]


def read_requests(data: bytes) -> list[Read]:
    """Reads whole requests, one behind the other.

    Raises:
        NotStrict: the bytes are anything else.
    """
    bytes_, found = _Bytes(data), []
    while bytes_.at < len(data):
        found.append(_request(bytes_))
    return found


def _request(data: _Bytes) -> Read:
    method = data.some(TOKEN)
    data.expect(SPACE)
    target = data.some(TARGET)
    data.expect(SPACE)
    version = data.exactly(8)
    data.expect(CR, LF)
    if version != b"HTTP/1.1":
        raise NotStrict("its version is not HTTP/1.1")
    read = Read(method, target, version, _fields(data))
    if len(read.all(b"host")) != 1:
        raise NotStrict("it has not one Host")
    _frame(read, data)
    return read


def _fields(data: _Bytes) -> list[tuple[bytes, bytes]]:
    found = []
    while data.peek() != CR:
        name = data.some(TOKEN)
        data.expect(COLON)
        value = data.some(VALUE, 0)
        data.expect(CR, LF)
        start, stop = 0, len(value)
        while start < stop and value[start] in (SPACE, TAB):
            start += 1
        while stop > start and value[stop - 1] in (SPACE, TAB):
            stop -= 1
        found.append((name, value[start:stop]))
    data.expect(CR, LF)
    return found


def _frame(read: Read, data: _Bytes) -> None:
    lengths, codings = read.all(b"content-length"), read.all(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise NotStrict("it is framed more than once")
    if codings:
        if codings[0] != b"chunked":
            raise NotStrict("its coding is not plainly chunked")
        _chunks(read, data)
    elif lengths:
        if not lengths[0] or any(octet not in b"0123456789" for octet in lengths[0]):
            raise NotStrict("its length is no number")
        if str(int(lengths[0])).encode() != lengths[0]:
            raise NotStrict("its length is oddly spelt")
        read.body = data.exactly(int(lengths[0]))


def _chunks(read: Read, data: _Bytes) -> None:
    while True:
        size = 0
        for octet in data.some(frozenset(HEX)):
            size = size * 16 + HEX[octet]
        while data.peek() != CR:
            _extension(data)
        data.expect(CR, LF)
        if not size:
            break
        read.body += data.exactly(size)
        data.expect(CR, LF)
    read.trailers = _fields(data)


def _extension(data: _Bytes) -> None:
    _blank(data)
    data.expect(SEMICOLON)
    _blank(data)
    data.some(TOKEN)
    if data.blank_then(EQUALS):
        _blank(data)
        _quoted(data) if data.peek() == QUOTE else data.some(TOKEN)


def _blank(data: _Bytes) -> None:
    data.some(frozenset((SPACE, TAB)), 0)


def _quoted(data: _Bytes) -> None:
    data.expect(QUOTE)
    while data.peek() != QUOTE:
        data.at += data.peek() == BACKSLASH
        if data.peek() not in VALUE:
            raise NotStrict(f"octet {data.peek()} at {data.at} is not allowed in quotes")
        data.at += 1
    data.expect(QUOTE)
