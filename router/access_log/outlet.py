"""Empties a worker's access log beside the path: into a file, or to the supervisor, a frame at a time.

One task per worker. The file is written in a thread. A supervisor that is gone is looked for again; meanwhile the
frames become as many as may be, and then records are dropped, with a count.
"""

from __future__ import annotations

import asyncio
import logging
import os
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from kernel.tasks import spawn, stop
from router.access_log.noted import AccessLog, Frame

log = logging.getLogger(__name__)
_EVERY_S: Final = 0.25
_ANSWER_S: Final = 5.0
_LAST_S: Final = 2.0
LENGTH: Final = struct.Struct("!II")  # bytes of a frame, records in it
TAKEN: Final = b"+"  # for each frame


class Sink(Protocol):
    """Where frames go.

    Attributes:
        at_once: how many frames it gets together.
    """

    at_once: int

    async def put(self, frames: Sequence[Frame]) -> None:
        """Returns when they are taken.

        Raises:
            OSError, TimeoutError: they are not; the same ones are to be put again.
        """
        ...

    def close(self) -> None:
        """Lets go of what is open."""
        ...


class Outlet:
    """The task."""

    def __init__(self, noted: AccessLog, sink: Sink) -> None:
        self._noted = noted
        self._sink = sink
        self._waiting: list[Frame] = []
        self._told = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts it."""
        self._task = spawn(self._run(), "router.access_log")

    async def stop(self) -> None:
        """Ends it behind what is noted, if that can be put down within `_LAST_S`; says what cannot."""
        await stop(self._task)
        try:
            async with asyncio.timeout(_LAST_S):
                await self._move_all()
        except (OSError, TimeoutError) as error:
            lost = len(self._noted) + sum(frame.count for frame in self._waiting)
            log.warning("%d records of the access log are lost: %r", lost, error)
        self._sink.close()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_S):
                    await self._noted.plenty.wait()
            self._noted.plenty.clear()
            try:
                await self._move_all()
                self._told = False
            except (OSError, TimeoutError) as error:
                if not self._told:
                    log.warning("the access log waits: %r", error)
                self._told = True
                await asyncio.sleep(_EVERY_S)  # not as often as there is plenty

    async def _move_all(self) -> None:
        """Moves frames on until none is left. Those that were not taken are kept for the next time."""
        while True:
            while len(self._waiting) < self._sink.at_once and (frame := self._noted.take()) is not None:
                self._waiting.append(frame)
            if not self._waiting:
                return
            await self._sink.put(self._waiting)
            self._waiting = []


class FileSink:
    """Appends frames of JSON lines to a file."""

    at_once = 128  # all that may wait: a thread costs the same for one

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest: deque[memoryview] = deque()

    async def put(self, frames: Sequence[Frame]) -> None:
        """Writes in a thread: a slow disk stops nobody."""
        if not self._rest:  # else these were begun, and the disk was full
            self._rest.extend(memoryview(frame.data) for frame in frames)
        await asyncio.to_thread(self._write)

    def _write(self) -> None:
        # One by one: megabytes in one write cost the kernel five times what pieces do that a cache holds.
        while self._rest:
            if written := self._rest[0][os.write(self._descriptor, self._rest[0]) :]:
                self._rest[0] = written
            else:
                _ = self._rest.popleft()

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


class SocketSink:
    """Sends frames to the supervisor's door, each behind its length, and awaits its answer."""

    at_once = 4  # about what the kernel takes in one go

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def put(self, frames: Sequence[Frame]) -> None:
        """Returns when the supervisor has them.

        Raises:
            OSError, TimeoutError: it is gone, or does not answer.
        """
        try:
            async with asyncio.timeout(_ANSWER_S):
                reader, writer = await self._connected()
                for frame in frames:
                    writer.write(LENGTH.pack(len(frame.data), frame.count) + frame.data)
                await writer.drain()
                _ = await reader.readexactly(len(frames))
        except asyncio.IncompleteReadError:
            self.close()
            raise ConnectionResetError("the supervisor takes no more of the access log") from None
        except BaseException:
            self.close()
            raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_unix_connection(self._path)
        return self._reader, self._writer

    def close(self) -> None:
        """Closes the connection."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None
