"""Gives stored answers to clients: one write for a small one, pieces as fast as the client reads for a large one.

What stands for an upstream connection here is a `Feed`, which the client pauses and resumes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from router.core import glue
from router.core.caching.asked import Asked
from router.core.caching.conditions import part_of, unchanged
from router.core.caching.stored import Stored
from router.core.errors import Refused
from router.core.request import LOCAL, Request
from router.edge import policing
from router.edge.caching.feed import PIECE, Feed, FileFeed

if TYPE_CHECKING:
    from router.edge.server import Client

# What a 304 does not repeat: the client has it with its copy (RFC 9110, section 15.4.5).
_OF_CONTENT: Final = re.compile(rb"(?im)^content-(?:type|encoding|language|range|md5|disposition):[^\r\n]*\r\n")
_STATUS_LINE: Final = re.compile(rb"^[^\r\n]*\r\n")


def give(client: Client, request: Request, stored: Stored, asked: Asked, now: float, note: bytes) -> bool:
    """Answers a request from the store; False when the body has gone meanwhile, and nothing was written.

    Args:
        now: seconds since the epoch.
        note: the Cache-Status line.
    """
    body, lines, size = stored.body or b"", stored.lines, stored.size
    at, end, status = 0, size, stored.status
    if asked.is_conditional:
        if unchanged(asked, status, stored.etag, stored.modified, stored.date):
            give_unchanged(client, request, lines, glue.numbered(b"Age: ", now - stored.born) + note)
            return True
        try:
            part = part_of(stored, asked)
        except Refused as refused:
            client.refuse(refused.kind, refused.detail, refused.lines + note)
            return True
        if part is not None:
            at, end, status = part[0], part[1] + 1, 206
            lines = b"HTTP/1.1 206 Partial Content\r\n" + _STATUS_LINE.sub(b"", lines)
            lines += b"Content-Range: bytes %d-%d/%d\r\n" % (*part, size)
    feed: Feed | None = None
    if stored.body is None and end > at and request.head.method != b"HEAD":
        feed = FileFeed.open(stored, client, request, at, end)
        if feed is None:
            return False
    elif end - at > PIECE and request.head.method != b"HEAD":
        feed = Feed(client, request, at, end)
        feed.body = memoryview(body)
    note = glue.numbered(b"Age: ", now - stored.born) + note
    _write(client, request, stored, status, lines, at, end, feed, note)
    return True


def _write(
    client: Client, request: Request, stored: Stored, status: int, lines: bytes, at: int, end: int, feed: Feed | None,
    more: bytes,
) -> None:  # fmt: skip
    begin(client, request, status)
    lines = policing.answer_lines(request, lines)
    sized = b"" if status == 204 else glue.numbered(b"Content-Length: ", end - at)
    if feed is not None:
        client.transport.write(glue.glue(lines, sized, more, client.tail(request), b""))
        client.upstream = feed
        feed.resume()
        return
    body = b""
    if request.head.method != b"HEAD" and stored.body:
        request.sent += end - at
        body = stored.body if end - at == stored.size else stored.body[at:end]
    client.transport.write(glue.glue(lines, sized, more, client.tail(request), body))
    client.finish()


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
