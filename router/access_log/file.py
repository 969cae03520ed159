"""The access log in a file. Compiled, the log hands its lines to a thread that needs no lock of Python's (writer.pyx);
what is left to do here is to have it do so often enough, and to say what goes wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Final

from kernel.tasks import spawn, stop
from router import COMPILED
from router.access_log.noted import AccessLog
from router.access_log.outlet import FileSink, Outlet

if TYPE_CHECKING:
    from router.access_log.quick import LineLog
if COMPILED:
    from router.access_log.writer import Writer

log = logging.getLogger(__name__)
_EVERY_S: Final = 0.25
_LAST_S: Final = 2.0


class FileOutlet:
    """Has a log of lines written.

    Raises (from the constructor):
        OSError: the file cannot be opened.
    """

    def __init__(self, noted: LineLog, path: str) -> None:
        self._noted = noted
        self._descriptor = opened(path)
        self._writer: Writer | None = None
        self._task: asyncio.Task[None] | None = None
        self.told = False

    def start(self) -> None:
        """Begins to write."""
        self._writer = self._noted.writer = Writer(self._descriptor)
        self._task = spawn(self._run(self._writer), "router.access_log")

    async def stop(self) -> None:
        """Ends behind what is noted, if that can be put down within `_LAST_S`; says what cannot."""
        await stop(self._task)
        if self._writer is None:
            os.close(self._descriptor)
            return
        self._noted.flush()
        await asyncio.to_thread(self._writer.end, _LAST_S)
        if lost := self._writer.records:
            log.warning("%d records of the access log are lost: %s", lost, os.strerror(self._writer.error))

    async def _run(self, writer: Writer) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            self._noted.flush()
            if writer.error and not self.told:
                log.warning("the access log waits: %s", os.strerror(writer.error))
            self.told = bool(writer.error)


def file_outlet(noted: AccessLog, path: str) -> Outlet | FileOutlet:
    """What empties a log into a file.

    Raises:
        OSError: the file cannot be opened.
    """
    if COMPILED:
        from router.access_log.quick import LineLog

        assert isinstance(noted, LineLog)  # noqa: S101 - the compiled log of a file is always one
        return FileOutlet(noted, path)
    return Outlet(noted, FileSink(opened(path)))


def opened(path: str) -> int:
    """A descriptor that appends to the file."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
