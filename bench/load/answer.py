"""Reads HTTP/1.1 answers, without I/O: just enough of RFC 9112 to know when one ends and whether it was whole.

It refuses what it cannot frame; it does not judge anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_MAX_HEAD: Final = 65_536
_MAX_LINE: Final = 4_096


class Malformed(Exception):
    """The peer does not speak HTTP/1.1."""


class Answer:
    """The answer that a connection waits for; used again for the next one.

    Attributes:
        status: of the last whole head, 0 before.
        size: bytes of the body so far.
        keep_alive: the connection can carry another request.
        on_body: gets the body's bytes as they come, for streams.
    """

    __slots__ = ("_buffer", "_head_only", "_left", "_state", "keep_alive", "on_body", "size", "status")

    def __init__(self, on_body: Callable[[bytes], None] | None = None) -> None:
        self.on_body = on_body
        self.expect(head_only=False)

    def expect(self, head_only: bool) -> None:
        """Begins with the next answer.

        Args:
            head_only: the request was a HEAD.
        """
        self.status = self.size = self._left = 0
        self.keep_alive = True
        self._head_only = head_only
        self._buffer = b""
        self._state = _HEAD

    @property
    def begun(self) -> bool:
        """Whether anything of it has come."""
        return bool(self.status or self._buffer)

    def feed(self, data: bytes) -> bool:
        """Takes bytes; tells whether the answer is whole.

        Raises:
            Malformed: it cannot be framed, or more came than one answer.
        """
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        if self._state == _HEAD:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                return self._keep(data, _MAX_HEAD)
            self._read_head(data[:end])
            data = data[end + 4 :]
            if self.status < 200 and self.status != 101:
                return self.feed(data)
        return self._read_body(data)

    def ended(self) -> bool:
        """Tells whether a closed connection means that the answer is whole."""
        return self._state == _CLOSE

    def _read_head(self, head: bytes) -> None:
        if not head.startswith(b"HTTP/1.") or not head[9:12].isdigit():
            raise Malformed(head[:40].decode("latin-1"))
        self.status = int(head[9:12])
        if self.status < 200:
            self._state = _LENGTH if self.status == 101 else _HEAD
            return
        low = head.lower()
        self.keep_alive = head[7:8] == b"1" and b"\nconnection: close" not in low
        if self._head_only or self.status in (204, 304):
            self._state, self._left = _LENGTH, 0
        elif b"\ntransfer-encoding:" in low:
            self._state = _CHUNK
        elif (at := low.find(b"\ncontent-length:")) >= 0:
            self._state, self._left = _LENGTH, _number(low[at + 16 :].partition(b"\r")[0].strip(), 10)
        else:
            self._state, self.keep_alive = _CLOSE, False

    def _read_body(self, data: bytes) -> bool:
        if self._state == _LENGTH:
            self._left -= len(data)
            self._take(data)
            if self._left < 0 and self.status != 101:
                raise Malformed("more bytes than the answer has")
            return self._left <= 0
        if self._state == _CLOSE:
            self._take(data)
            return False
        return self._read_chunks(data)

    def _read_chunks(self, data: bytes) -> bool:
        at = 0
        while True:
            if self._left:  # bytes of the chunk and its CRLF
                part = data[at : at + self._left]
                self._take(part[: max(0, self._left - 2)])
                at += len(part)
                self._left -= len(part)
                if self._left:
                    return False
            end = data.find(b"\r\n", at)
            if end < 0:
                return self._keep(data[at:], _MAX_LINE)
            if self._state == _TRAILER:
                if end == at:
                    return True
            elif size := _number(data[at:end].partition(b";")[0].strip(), 16):
                self._left = size + 2
            else:
                self._state = _TRAILER
            at = end + 2

    def _keep(self, data: bytes, most: int) -> bool:
        if len(data) > most:
            raise Malformed("a line or head without an end")
        self._buffer = data
        return False

    def _take(self, data: bytes) -> None:
        self.size += len(data)
        if self.on_body is not None and data:
            self.on_body(data)


_HEAD, _LENGTH, _CHUNK, _TRAILER, _CLOSE = range(5)


def _number(text: bytes, base: int) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise Malformed(f"not a length: {text[:20]!r}") from None
