"""Reads objects from S3 over few kept-alive connections; its answers go through the same strict head parser.

A reader that is slow stops the store: asyncio's stream reader holds at most twice `_BUFFER` bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from router.core.body import CHUNKED, UNTIL_CLOSE, Chunked
from router.core.errors import FILE_MISSING, FILES_UNAVAILABLE, Refused
from router.core.head import MAX_HEAD, ResponseHead, read_response
from router.edge.sigv4 import object_path, sign_get
from router.settings import RouterSettings

_BUFFER: Final = 262_144
_PIECE: Final = 262_144
_MOST_IDLE: Final = 16
_MOST_AT_ONCE: Final = 64
_WAIT_S: Final = 10.0
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Store:
    """A reader of one bucket."""

    def __init__(self, settings: RouterSettings) -> None:
        url = urlsplit(settings.s3_endpoint)
        self._host = url.hostname or "127.0.0.1"
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._port = url.port or (443 if self._tls else 80)
        self._authority = url.netloc.rpartition("@")[2]
        self._settings = settings
        self._idle: list[_Connection] = []
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)

    async def get(self, key: str) -> bytes:
        """A whole object.

        Raises:
            Refused: FILE_MISSING or FILES_UNAVAILABLE.
        """
        return b"".join([piece async for piece in self.stream(key, None)])

    async def stream(self, key: str, part: tuple[int, int] | None) -> AsyncGenerator[bytes, None]:
        """An object, or the part of it from the first to the last of two byte positions, in pieces.

        Raises:
            Refused: FILE_MISSING or FILES_UNAVAILABLE.
        """
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._places.acquire()
        except TimeoutError:
            raise Refused(FILES_UNAVAILABLE, "too many reads of the object store are under way") from None
        try:
            connection, head, rest = await self._ask(key, part)
            whole = False
            try:
                if head.status == 404:
                    raise Refused(FILE_MISSING, "a file of this release is not in the object store")
                if head.status != (206 if part else 200):
                    raise Refused(FILES_UNAVAILABLE, f"the object store answered {head.status}")
                async for piece in _body(connection[0], head, rest):
                    yield piece
                whole = head.keep and head.length != UNTIL_CLOSE
            finally:
                self._give_back(connection, whole)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Closes idle connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _ask(self, key: str, part: tuple[int, int] | None) -> tuple[_Connection, ResponseHead, bytes]:
        request = self._request(key, part)
        while self._idle:
            connection = self._idle.pop()
            if connection[0].at_eof():
                connection[1].close()
                continue
            with contextlib.suppress(Refused):  # a kept connection may have gone stale: the next one, or a new one
                return connection, *await self._exchange(connection, request)
        try:
            async with asyncio.timeout(self._settings.connect_s):
                connection = await asyncio.open_connection(self._host, self._port, ssl=self._tls, limit=_BUFFER)
        except (OSError, TimeoutError) as error:
            raise Refused(FILES_UNAVAILABLE, "the object store accepts no connection") from error
        return connection, *await self._exchange(connection, request)

    async def _exchange(self, connection: _Connection, request: bytes) -> tuple[ResponseHead, bytes]:
        reader, writer = connection
        try:
            writer.write(request)
            data = b""
            async with asyncio.timeout(_WAIT_S):
                while True:
                    piece = await reader.read(MAX_HEAD)
                    if not piece:
                        raise Refused(FILES_UNAVAILABLE, "the object store closed the connection")
                    data += piece
                    head = read_response(data)
                    if head is not None:
                        return head, data[head.end :]
        except (OSError, TimeoutError) as error:
            writer.transport.abort()
            raise Refused(FILES_UNAVAILABLE, "the object store does not answer") from error
        except BaseException:
            writer.transport.abort()
            raise

    def _request(self, key: str, part: tuple[int, int] | None) -> bytes:
        settings = self._settings
        path = object_path(settings.s3_bucket, key)
        headers = dict(
            sign_get(
                self._authority,
                path,
                datetime.now(UTC),
                settings.s3_region,
                settings.s3_access_key,
                settings.s3_secret_key,
            )
        )
        if part is not None:
            headers["range"] = f"bytes={part[0]}-{part[1]}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"GET {path} HTTP/1.1\r\nhost: {self._authority}\r\n{lines}\r\n".encode()

    def _give_back(self, connection: _Connection, whole: bool) -> None:
        if whole and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection[1].transport.abort()


async def _body(reader: asyncio.StreamReader, head: ResponseHead, rest: bytes) -> AsyncIterator[bytes]:
    """The pieces of a body.

    Raises:
        Refused: FILES_UNAVAILABLE, it ended early.
    """
    left = head.length
    chunked = Chunked() if left == CHUNKED else None
    piece = rest
    while True:
        if chunked is not None:
            payload: list[bytes] = []
            chunked.feed(piece, 0, payload)
            piece = b"".join(payload)
        elif left >= 0:
            piece = piece[:left]
            left -= len(piece)
        if piece:
            yield piece
        if left == 0 or (chunked is not None and chunked.done):
            return
        try:
            async with asyncio.timeout(_WAIT_S):
                piece = await reader.read(_PIECE)
        except (OSError, TimeoutError) as error:
            raise Refused(FILES_UNAVAILABLE, "the object store stopped in the middle of a file") from error
        if not piece:
            if head.length == UNTIL_CLOSE:
                return
            raise Refused(FILES_UNAVAILABLE, "the object store closed in the middle of a file")
