"""Gives stored answers to clients: one write for a small one, pieces as fast as the client reads for a large one.

No task and no future: what stands for an upstream connection here is a `Feed`, which the client pauses and resumes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from router.core.caching.asked import Asked
from router.core.caching.conditions import part_of, unchanged
from router.core.caching.stored import Stored
from router.core.errors import Refused
from router.core.request import LOCAL, Request
from router.edge import policing

if TYPE_CHECKING:
    from router.edge.server import Client

# Above this a body goes out in pieces of this size, so that a client that does not read holds no copy of it.
PIECE: Final = 65536
# What a 304 does not repeat: the client has it with its copy (RFC 9110, section 15.4.5).
_OF_CONTENT: Final = re.compile(rb"(?im)^content-(?:type|encoding|language|range|md5|disposition):[^\r\n]*\r\n")
_STATUS_LINE: Final = re.compile(rb"^[^\r\n]*\r\n")


class Feed:
    """The body of a stored answer on its way to one client."""

    __slots__ = ("_at", "_body", "_client", "_end", "_request")

    def __init__(self, client: Client, request: Request, body: bytes, at: int, end: int) -> None:
        self._client: Client | None = client
        self._request = request
        self._body = memoryview(body)
        self._at = at
        self._end = end

    def pause(self) -> None:
        """The client does not read; `resume` will tell."""

    def write(self, data: bytes) -> None:
        """A request that is answered from the store has no body."""

    def drop(self) -> None:
        """The client went away."""
        self._client = None

    def resume(self) -> None:
        """Writes as much as the client takes; ends the answer behind the last piece."""
        client = self._client
        while client is not None and self._at < self._end:
            if client.write_paused:
                return
            piece = self._body[self._at : min(self._at + PIECE, self._end)]
            self._at += len(piece)
            self._request.sent += len(piece)
            client.deadline = client.edge.now + client.limits.stream_s
            client.transport.write(piece)
            client = self._client
        if client is not None:
            self._client = client.upstream = None
            client.finish()


def give(client: Client, request: Request, stored: Stored, asked: Asked, now: float, note: bytes) -> None:
    """Answers a request from the store.

    Args:
        stored: its body is in memory.
        now: seconds since the epoch.
        note: the Cache-Status line.
    """
    body, lines, size = stored.body or b"", stored.lines, stored.size
    at, end, status = 0, size, stored.status
    if asked.is_conditional:
        if unchanged(asked, status, stored.etag, stored.modified, stored.date):
            give_unchanged(client, request, lines, b"Age: %d\r\n" % (now - stored.born) + note)
            return
        try:
            part = part_of(stored, asked)
        except Refused as refused:
            client.refuse(refused.kind, refused.detail, refused.lines + note)
            return
        if part is not None:
            at, end, status = part[0], part[1] + 1, 206
            lines = b"HTTP/1.1 206 Partial Content\r\n" + _STATUS_LINE.sub(b"", lines)
            lines += b"Content-Range: bytes %d-%d/%d\r\n" % (*part, size)
    begin(client, request, status)
    lines = policing.answer_lines(request, lines)
    sized = b"" if status == 204 else b"Content-Length: %d\r\n" % (end - at)
    head = b"".join((lines, sized, b"Age: %d\r\n" % (now - stored.born), note, client.tail(request)))
    if request.head.method == b"HEAD":
        client.transport.write(head)
        client.finish()
    elif end - at <= PIECE:
        request.sent += end - at
        client.transport.write(head + (body if end - at == size else body[at:end]))
        client.finish()
    else:
        client.transport.write(head)
        feed = Feed(client, request, body, at, end)
        client.upstream = feed
        feed.resume()


def give_unchanged(client: Client, request: Request, lines: bytes, more: bytes) -> None:
    """Tells a client that its copy is current.

    Args:
        lines: status line and header lines of the answer that it would have got.
    """
    begin(client, request, 304)
    lines = b"HTTP/1.1 304 Not Modified\r\n" + _OF_CONTENT.sub(b"", _STATUS_LINE.sub(b"", lines))
    client.transport.write(policing.answer_lines(request, lines) + more + client.tail(request))
    client.finish()


def begin(client: Client, request: Request, status: int) -> None:
    """Takes a request out of whatever it waited for: from here on it is answered."""
    client.upstream = None
    request.move(LOCAL)
    request.status = status
    client.keep = request.head.keep and not request.left and not client.edge.draining
    client.deadline = client.edge.now + client.limits.stream_s
