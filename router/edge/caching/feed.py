"""The body of a stored answer on its way to one client, in pieces as fast as the client reads.

A client that does not read holds no copy of a body, and none at all of one that has its own file. What a file cannot
give at once is read in a thread while the loop goes on.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from kernel.tasks import spawn
from router.core.caching.stored import Stored
from router.core.request import Request
from router.edge.caching.shelf import body_path

if TYPE_CHECKING:
    from router.edge.server import Client

# Above this a body goes out in pieces of this size.
PIECE: Final = 65536


class Feed:
    """Bytes in memory on their way.

    Attributes:
        body: all of them.
    """

    __slots__ = ("_at", "_client", "_end", "_request", "body")

    def __init__(self, client: Client, request: Request, at: int, end: int) -> None:
        self._client: Client | None = client
        self._request = request
        self._at = at
        self._end = end
        self.body = memoryview(b"")

    def pause(self) -> None:
        """The client does not read; `resume` will tell."""

    def write(self, data: bytes) -> None:
        """A request that is answered from the store has no body."""

    def drop(self) -> None:
        """The client went away."""
        self._client = None
        self._close()

    def resume(self) -> None:
        """Writes as much as the client takes; ends the answer behind the last piece."""
        client = self._client
        while client is not None and self._at < self._end:
            if client.write_paused:
                return
            piece = self._take(min(PIECE, self._end - self._at))
            if piece is None:
                return
            self._at += len(piece)
            self._request.sent += len(piece)
            client.deadline = client.edge.now + client.limits.stream_s
            client.transport.write(piece)
            client = self._client
        if client is not None:
            self._client = client.upstream = None
            self._close()
            client.finish()

    def _take(self, size: int) -> bytes | memoryview | None:
        """The next piece, None while there is none."""
        return self.body[self._at : self._at + size]

    def _close(self) -> None:
        """Nothing more is read."""


class FileFeed(Feed):
    """Bytes in a file on their way."""

    __slots__ = ("_file", "_reading", "_ready")

    def __init__(self, client: Client, request: Request, at: int, end: int, file: int) -> None:
        super().__init__(client, request, at, end)
        self._file = file
        self._ready = b""
        self._reading = False

    @staticmethod
    def open(stored: Stored, client: Client, request: Request, at: int, end: int) -> FileFeed | None:
        """Opens the file of a body; None when it has gone."""
        try:
            file = os.open(body_path(stored), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        feed = FileFeed(client, request, at, end, file)
        if os.fstat(file).st_size != stored.size:
            feed._close()
            return None
        return feed

    def _take(self, size: int) -> bytes | memoryview | None:
        if self._reading:
            return None
        ready, self._ready = self._ready, b""
        if ready:
            return ready
        piece = bytearray(size)
        try:
            got = os.preadv(self._file, [piece], self._at, os.RWF_NOWAIT)
        except OSError:  # it is not in memory, or this file system cannot tell
            self._reading = True
            _ = spawn(self._read(size), "router.cache.read")
            return None
        if not got:
            self._fail()
            return None
        return memoryview(piece)[:got]

    async def _read(self, size: int) -> None:
        try:
            self._ready = await asyncio.to_thread(os.pread, self._file, size, self._at)
        except OSError:
            self._ready = b""
        self._reading = False
        if self._client is None:
            self._close()
        elif self._ready:
            self.resume()
        else:
            self._fail()

    def _fail(self) -> None:
        """The file cannot be read to its end: the client must not take a part for the whole."""
        client, self._client = self._client, None
        self._close()
        if client is not None:
            client.upstream = None
            client.break_off()

    def _close(self) -> None:
        if self._file >= 0 and not self._reading:
            os.close(self._file)
            self._file = -1
