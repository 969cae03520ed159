"""Where a supervisor takes the access log of its workers: a unix socket, frames behind their length, each answered.

The next supervisor listens at the same place, so workers that outlive this one find it again by themselves. Frames are
kept as they come; what is in them is looked at when they are sent on (shipper.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from router.access_log.outlet import LENGTH, TAKEN

log = logging.getLogger(__name__)
_MOST: Final = 8 << 20


class LogDoor:
    """Listens for frames.

    Args of the constructor:
        put: gets each frame, and how many records are in it; never waits.
    """

    def __init__(self, path: Path, put: Callable[[bytes, int], None]) -> None:
        self._path = path
        self._put = put
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listens; the directory keeps strangers out, and so does the socket's mode."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_MOST)
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                size, count = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if size > _MOST:
                    log.error("a frame of the access log has %d bytes, and %d at most is right", size, _MOST)
                    return
                self._put(await reader.readexactly(size), count)
                writer.write(TAKEN)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return  # the worker has ended
        finally:
            self._open.discard(writer)
            writer.close()
