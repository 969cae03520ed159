"""Where hooks meet the gateway: a private unix socket, and a secret for each push that works once.

The secret reaches the hook through git's environment. Whoever connects without one is sent away.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from control.gateway.git.deploy import Command, Deployer, Push
from kernel import tasks
from kernel.errors import define

log = logging.getLogger(__name__)

HOOK_SOCKET_UNUSABLE = define(
    "HOOK_SOCKET_UNUSABLE",
    hint="set SHIPOFF_RUN_DIR to a short, writable folder (a socket's path has 108 bytes at most)",
)

HELLO_S: Final = 10.0
LINE_BYTES: Final = 8 * 1024
COMMANDS: Final = 1000  # refs in one push; git push --mirror of a large repository stays below


class Pushes:
    """Serves the hooks of the pushes that are open.

    Args:
        socket: the path to listen at.
        deployer: what to do with a push.
    """

    def __init__(self, socket: Path, deployer: Deployer) -> None:
        self._socket, self._deployer = socket, deployer
        self._open: dict[str, Push] = {}
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listens; the folder of the socket is the gateway's alone.

        Raises:
            ShipoffError: HOOK_SOCKET_UNUSABLE.
        """
        try:
            self._socket.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._accept, self._socket, limit=LINE_BYTES)
        except OSError as error:
            raise HOOK_SOCKET_UNUSABLE(f"cannot listen at {self._socket}: {error}") from error

    async def stop(self) -> None:
        """Stops; hooks that wait tell their people so. Deployments go on."""
        if self._server is not None:
            self._server.close()
        await tasks.stop(*self._serving)
        self._socket.unlink(missing_ok=True)

    @contextmanager
    def admitted(self, push: Push) -> Iterator[dict[str, str]]:
        """Expects the hook of this push for the length of the block; yields what its environment needs."""
        secret = secrets.token_urlsafe(32)
        self._open[secret] = push
        try:
            yield {"SHIPOFF_HOOK_SOCKET": str(self._socket), "SHIPOFF_HOOK_SECRET": secret}
        finally:
            self._open.pop(secret, None)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = tasks.spawn(self._serve(reader, writer), "push")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        voice = Voice(writer)
        try:
            async with asyncio.timeout(HELLO_S):
                secret, commands = await _hello(reader)
            push = self._open.pop(secret, None)
            if push is None:
                log.warning("a hook came without a secret that is open")
                return
            await self._deployer.run(push, commands, voice)
            await voice.end()
        except (TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            log.warning("a hook said nothing that makes sense: %r", error)
        finally:
            writer.close()


class Voice:
    """What the gateway says to a hook. A hook that went away (Ctrl-C) is spoken to no more, and that is no error."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._gone = False

    async def say(self, text: str) -> None:
        """A line for the person who pushes."""
        await self._frame(b"p", text)

    async def report(self, line: str) -> None:
        """A line for git: `ok REF`, `ng REF REASON` or `option …`."""
        await self._frame(b"r", line)

    async def end(self) -> None:
        """Nothing more comes."""
        await self._frame(b"e", "")

    async def _frame(self, kind: bytes, text: str) -> None:
        payload = text.encode(errors="replace")
        if self._gone:
            return
        try:
            self._writer.write(kind + len(payload).to_bytes(4, "big") + payload)
            await self._writer.drain()
        except (BrokenPipeError, ConnectionResetError):
            self._gone = True


async def _hello(reader: asyncio.StreamReader) -> tuple[str, list[Command]]:
    """The secret and the commands that a hook begins with."""
    secret = (await reader.readuntil()).decode().strip()
    commands: list[Command] = []
    while line := (await reader.readuntil()).decode(errors="surrogateescape").rstrip("\n"):
        old, new, ref = line.split(" ", 2)
        commands.append(Command(old, new, ref))
        if len(commands) > COMMANDS:
            raise ValueError("too many refs in one push")
    return secret, commands
