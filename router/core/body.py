"""Where a message's body ends: chunked framing, checked octet by octet as it streams past (RFC 9112, section 7.1).

The bytes are forwarded as they came; this only finds the end and refuses whatever two readers could read differently.
"""

from __future__ import annotations

import re
from typing import Final

from router.core.errors import BAD_REQUEST, Refused

NO_BODY: Final = 0
CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

_MAX_LINE: Final = 4096
_MAX_TRAILERS: Final = 16384
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_EXTENSION: Final = rb"[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,15})(?:" + _EXTENSION + rb")*\r\n").fullmatch
_TRAILER: Final = re.compile(rb"(" + _TOKEN + rb"):[\t\x20-\x7e\x80-\xff]*\r\n").fullmatch
# Fields that frame, route, authorise or identify are not allowed behind a body (RFC 9110, section 6.5.1): an app that
# takes trailers for headers would believe them.
_NOT_TRAILERS: Final = frozenset(
    b"content-length transfer-encoding host connection te trailer upgrade content-encoding content-type content-range "
    b"authorization cookie set-cookie expect keep-alive proxy-connection proxy-authorization forwarded x-forwarded-for "
    b"x-forwarded-proto x-forwarded-host x-forwarded-port x-real-ip x-request-id cf-connecting-ip "
    b"true-client-ip".split()
)

_AT_SIZE, _AT_DATA_END, _AT_TRAILER = 0, 1, 2


class Chunked:
    """Follows one chunked body through any split of its bytes.

    Attributes:
        done: the last chunk and its trailers have passed.
        size: bytes of data in the chunks announced so far.
    """

    __slots__ = ("_left", "_line", "_state", "_trailers", "done", "size")

    def __init__(self) -> None:
        self._left = 0
        self._line = b""
        self._state = _AT_SIZE
        self._trailers = 0
        self.done = False
        self.size = 0

    def feed(self, data: bytes, at: int = 0, payload: list[bytes] | None = None) -> int:
        """Takes the next bytes.

        Args:
            at: where in `data` the body goes on.
            payload: collects the data of the chunks, for a reader that does not know chunks (HTTP/1.0).

        Returns:
            The index behind the last byte that belongs to the body.

        Raises:
            Refused: BAD_REQUEST when the framing is not exactly that of the RFC.
        """
        size = len(data)
        while at < size:
            if self._left:
                take = min(self._left, size - at)
                if payload is not None:
                    payload.append(data[at : at + take])
                at += take
                self._left -= take
                continue
            newline = data.find(b"\n", at, at + _MAX_LINE)
            if newline < 0:
                self._keep(data[at:])
                return size
            line = self._line + data[at : newline + 1]
            self._line = b""
            at = newline + 1
            self._take_line(line)
            if self.done:
                return at
        return size

    def _keep(self, piece: bytes) -> None:
        self._line += piece
        if len(self._line) >= _MAX_LINE or (self._state == _AT_DATA_END and self._line != b"\r"):
            raise Refused(BAD_REQUEST, "a chunk is not framed as announced")

    def _take_line(self, line: bytes) -> None:
        if self._state == _AT_DATA_END:
            if line != b"\r\n":
                raise Refused(BAD_REQUEST, "a chunk is longer than announced")
            self._state = _AT_SIZE
        elif self._state == _AT_SIZE:
            self._take_size(line)
        elif line == b"\r\n":
            self.done = True
        else:
            self._take_trailer(line)

    def _take_size(self, line: bytes) -> None:
        match = _SIZE(line)
        if match is None:
            raise Refused(BAD_REQUEST, "a chunk's size line is malformed")
        self._left = int(match[1], 16)
        self.size += self._left
        self._state = _AT_DATA_END if self._left else _AT_TRAILER

    def _take_trailer(self, line: bytes) -> None:
        match = _TRAILER(line)
        self._trailers += len(line)
        if match is None or match[1].lower().replace(b"_", b"-") in _NOT_TRAILERS or self._trailers > _MAX_TRAILERS:
            raise Refused(BAD_REQUEST, "a trailer is malformed, too large or not allowed")
