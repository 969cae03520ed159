"""Our end of a command that runs in an instance: its descriptors, handed over by the agent."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kernel import tasks
from orchestrator.drivers.base import EXEC_FAILED, Command, LogStream
from orchestrator.drivers.local.launch import frame

CONNECT_S: Final = 5.0
CHUNK: Final = 32768
WAITING: Final = 16  # chunks of output that wait for a reader; then the command waits
LINGER_S: Final = 0.5  # what it left in the background may hold its output open: we do not wait for that
END_OF_FILE: Final = b"\x04"
KILLED: Final = -9


class LocalSession:
    """Implements `Session` over a pty's master, or three pipes."""

    def __init__(self, control: socket.socket, descriptors: list[int], *, tty: bool) -> None:
        self._control, self._tty = control, tty
        self._input = os.dup(descriptors[0]) if tty else descriptors.pop(0)
        self._outputs = descriptors
        for descriptor in (self._input, *self._outputs):
            os.set_blocking(descriptor, False)
        self._chunks: asyncio.Queue[tuple[LogStream, bytes] | None] = asyncio.Queue(WAITING)
        self._status = tasks.spawn(self._exit_status(), "status of a command")
        streams: tuple[LogStream, ...] = ("stdout", "stderr")
        pumps = [
            tasks.spawn(self._pump(descriptor, stream), f"{stream} of a command")
            for descriptor, stream in zip(self._outputs, streams, strict=False)
        ]
        self._tasks = [*pumps, self._status, tasks.spawn(self._end(pumps), "end of a command")]

    async def read(self) -> tuple[LogStream, bytes] | None:
        """See `Session.read`."""
        chunk = await self._chunks.get()
        if chunk is None:
            self._chunks.put_nowait(None)  # for whoever asks again
        return chunk

    async def write(self, data: bytes) -> None:
        """See `Session.write`."""
        loop = asyncio.get_running_loop()
        while data and self._input >= 0:
            try:
                data = data[os.write(self._input, data) :]
            except BlockingIOError:
                await _ready(self._input, loop.add_writer, loop.remove_writer)
            except OSError:
                return

    async def end_input(self) -> None:
        """See `Session.end_input`."""
        if self._tty:
            await self.write(END_OF_FILE)
        else:
            self._close_input()

    def resize(self, rows: int, cols: int) -> None:
        """See `Session.resize`."""
        if self._tty and self._input >= 0:
            fcntl.ioctl(self._input, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    async def wait(self) -> int:
        """See `Session.wait`."""
        return await asyncio.shield(self._status)

    def kill(self) -> None:
        """See `Session.kill`."""
        with contextlib.suppress(OSError):  # it has ended by itself
            self._control.shutdown(socket.SHUT_WR)  # which the agent takes for our end

    async def close(self) -> None:
        """See `Session.close`."""
        self.kill()
        await tasks.stop(*self._tasks)
        self._control.close()
        self._close_input()
        for descriptor in self._outputs:
            os.close(descriptor)
        self._outputs.clear()

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    async def _pump(self, descriptor: int, stream: LogStream) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = os.read(descriptor, CHUNK)
            except BlockingIOError:
                await _ready(descriptor, loop.add_reader, loop.remove_reader)
                continue
            except OSError:  # EIO: nobody holds the terminal any more
                return
            if not data:
                return
            await self._chunks.put((stream, data))

    async def _end(self, pumps: list[asyncio.Task[None]]) -> None:
        await asyncio.wait([self._status])
        await asyncio.wait(pumps, timeout=LINGER_S)
        await tasks.stop(*pumps)
        await self._chunks.put(None)

    async def _exit_status(self) -> int:
        said, loop = b"", asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while chunk := await loop.sock_recv(self._control, 64):
                said += chunk
        word, _, status = said.decode("ascii", "replace").strip().partition(" ")
        return int(status) if word == "exit" and status.lstrip("-").isdigit() and len(status) < 5 else KILLED


async def _ready(descriptor: int, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
    """Waits until a descriptor can be read or written."""
    ready = asyncio.Event()
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)


async def begin(path: Path, command: Command) -> LocalSession:
    """Asks an instance's agent for a command.

    Args:
        path: of the instance's socket for commands.

    Raises:
        ShipoffError: EXEC_FAILED.
    """
    control, descriptors = await asyncio.to_thread(_ask, path, command)
    return LocalSession(control, descriptors, tty=command.tty)


def _ask(path: Path, command: Command) -> tuple[socket.socket, list[int]]:
    asked = {
        "command": list(command.arguments), "tty": command.tty, "rows": command.rows, "cols": command.cols,
        "term": command.term,
    }  # fmt: skip
    control = socket.socket(socket.AF_UNIX)
    try:
        control.settimeout(CONNECT_S)
        control.connect(str(path))
        control.sendall(frame(asked))
        said, descriptors, _, _ = socket.recv_fds(control, 256, 3)
    except OSError as error:
        control.close()
        raise EXEC_FAILED(f"the instance cannot be asked: {error}") from error
    if said[:1] != b"+" or len(descriptors) != (1 if command.tty else 3):
        control.close()
        for descriptor in descriptors:
            os.close(descriptor)
        raise EXEC_FAILED(f"the command did not start: {said[1:].decode(errors='replace') or 'no answer'}")
    control.setblocking(False)
    return control, descriptors
