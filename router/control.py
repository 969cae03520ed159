"""The door between a router's supervisor and its workers: a unix socket per worker, one JSON question per connection.

It outlives the supervisor: a new one finds the workers of the old by their sockets, takes over their listening sockets
(SCM_RIGHTS), and tells them to drain.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from kernel.errors import define
from kernel.tasks import spawn, stop
from router.edge.readable import readable

CONTROL_PATH_TOO_LONG = define("CONTROL_PATH_TOO_LONG", source="client", hint="set SHIPOFF_RUN_DIR to a shorter path")
_MOST: Final = 16384
_MOST_DESCRIPTORS: Final = 64
_LONGEST_PATH: Final = 107
_ASK_S: Final = 2.0
Json = dict[str, Any]
# Takes a question; gives an answer and the descriptors to hand over.
Handler = Callable[[Json], Awaitable[tuple[Json, Sequence[int]]]]


class ControlServer:
    """A worker's side."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._door: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listens.

        Raises:
            ShipoffError: CONTROL_PATH_TOO_LONG.
        """
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            raise CONTROL_PATH_TOO_LONG(f"{self._path} is longer than {_LONGEST_PATH} bytes")
        self._path.unlink(missing_ok=True)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.setblocking(False)
        self._door.bind(str(self._path))
        self._path.chmod(0o600)
        self._door.listen(16)
        self._task = spawn(self._accept(self._door), "router.control")

    async def stop(self) -> None:
        """Stops listening and removes the socket."""
        self._path.unlink(missing_ok=True)
        await stop(self._task)
        if self._door is not None:
            self._door.close()

    async def _accept(self, door: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(door)
            connection.setblocking(False)
            _ = spawn(self._answer(connection), "router.control.answer")

    async def _answer(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            try:
                async with asyncio.timeout(_ASK_S):
                    raw = b""
                    while piece := await loop.sock_recv(connection, _MOST):
                        raw += piece
                    answer, descriptors = await self._handler(orjson.loads(raw))
                    if descriptors:
                        socket.send_fds(connection, [b"+"], descriptors)
                    await loop.sock_sendall(connection, orjson.dumps(answer))
            except (OSError, TimeoutError, orjson.JSONDecodeError):
                return  # the asker went away or speaks something else; it sees the connection close


async def ask(path: Path, question: Json) -> tuple[Json, list[int]]:
    """Asks a worker; returns its answer and the descriptors that it handed over.

    Raises:
        OSError, TimeoutError: nobody answers there.
    """
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        async with asyncio.timeout(_ASK_S):
            await loop.sock_connect(connection, str(path))
            await loop.sock_sendall(connection, orjson.dumps(question))
            connection.shutdown(socket.SHUT_WR)
            data, descriptors = b"", []
            while True:
                await readable(connection)
                piece, received, _, _ = socket.recv_fds(connection, _MOST, _MOST_DESCRIPTORS)
                if received:
                    descriptors, piece = received, piece[1:]
                elif not piece:
                    break
                data += piece
    if not data:
        raise ConnectionResetError("the worker closed without an answer")
    answer: Json = orjson.loads(data)
    return answer, descriptors


def socket_path(directory: Path, state_dir: str, pid: int) -> Path:
    """Where the worker with this pid listens; routers that share a directory do not meet."""
    return directory / f"r-{_tag(state_dir)}-{pid}.sock"


def socket_paths(directory: Path, state_dir: str) -> list[Path]:
    """The sockets of all workers, living and dead, of this router."""
    return sorted(directory.glob(f"r-{_tag(state_dir)}-*.sock"))


def log_path(directory: Path, state_dir: str) -> Path:
    """Where the supervisor takes the access log; the next one takes it at the same place."""
    return directory / f"l-{_tag(state_dir)}.sock"


def _tag(state_dir: str) -> str:
    return hashlib.sha256(state_dir.encode()).hexdigest()[:8]
