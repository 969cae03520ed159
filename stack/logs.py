"""Writes what the units say to bounded files, from one thread of its own.

A unit must neither block nor lose its last lines because the supervisor is busy: the pipes are drained here, whatever
the event loop does, and a pipe is read until its last writer has closed it (an app's shim may outlive the service
whose pipe it inherited). A disk that is full costs lines, never a unit.
"""

from __future__ import annotations

import os
import selectors
import threading
from pathlib import Path
from typing import Final

FILE_BYTES: Final = 4 * 1024 * 1024  # per unit, twice: the current file and the one before
_CHUNK: Final = 64 * 1024
_TURN: Final = 32  # chunks


class LogPump:
    """All log files of a stack.

    Args:
        directory: holds `<unit>.log` and `<unit>.log.1`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}
        self._sources: dict[int, _File] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def open(self, name: str) -> int:
        """A descriptor for a new process of a unit to write to; the caller closes its copy after the fork."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        with self._lock:
            file = self._files.setdefault(name, _File(self._directory / f"{name}.log"))
            self._sources[read] = file
        self._wake()
        return write

    def tail(self, name: str, lines: int = 8) -> list[str]:
        """The last lines that a unit wrote."""
        try:
            with (self._directory / f"{name}.log").open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _CHUNK))
                text = file.read()
        except OSError:
            return []
        return text.decode(errors="replace").splitlines()[-lines:]

    def close(self, within_s: float = 2.0) -> None:
        """Writes what is in the pipes still, then stops; whoever holds a pipe open longer is not waited for."""
        self._closing = True
        self._wake()
        self._thread.join(within_s)

    def _wake(self) -> None:
        os.write(self._wake_write, b"w")

    def _run(self) -> None:
        while True:
            ready = self._selector.select()
            for key, _ in ready:
                if key.data is None:
                    self._adopt()
                else:
                    self._drain(key.fd, key.data)
            if self._closing and not any(key.data is not None for key, _ in ready):
                return

    def _adopt(self) -> None:
        while _read(self._wake_read):
            pass
        with self._lock:
            sources, self._sources = self._sources, {}
        for descriptor, file in sources.items():
            self._selector.register(descriptor, selectors.EVENT_READ, file)
        if self._closing:  # look once more at every pipe, then end
            for key in list(self._selector.get_map().values()):
                if key.data is not None:
                    self._drain(key.fd, key.data)

    def _drain(self, descriptor: int, file: _File) -> None:
        data: bytes | None = b"?"
        for _ in range(_TURN):  # then the others' turn, however much this one has to say
            data = _read(descriptor)
            if not data:
                break
            file.write(data)
        if data == b"":
            self._selector.unregister(descriptor)
            os.close(descriptor)


class _File:
    """One log file that starts anew when it is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._size = 0

    def write(self, data: bytes) -> None:
        try:
            if self._descriptor < 0:
                self._open()
            elif self._size > FILE_BYTES:
                os.close(self._descriptor)
                self._descriptor = -1
                self._path.rename(self._path.with_name(self._path.name + ".1"))
                self._open()
            self._size += os.write(self._descriptor, data)
        except OSError:
            return  # a full disk: the line is lost, the unit goes on

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size


def _read(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return None
