"""Valkey on a unix socket, with a password and an append-only file."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Final
from urllib.parse import quote

from stack.files import write_private
from stack.process import Command
from stack.servers.binaries import valkey

PROBE_S: Final = 2.0


class Valkey:
    """One server.

    Args:
        directory: its state; made when missing.
        run_dir: where its socket lies (short).
        password: of the default user.
    """

    name = "valkey"
    stop_signal = signal.SIGTERM
    stop_within_s = 10.0
    ready_within_s = 60.0  # a large append-only file is read back first

    def __init__(self, directory: Path, run_dir: Path, password: str) -> None:
        self._directory, self._password = directory, password
        self._socket = run_dir / "valkey.sock"
        self._program = valkey()

    @property
    def url(self) -> str:
        """The URL for redis-py."""
        return f"unix://{quote(str(self._socket))}?password={quote(self._password, safe='')}"

    async def prepare(self) -> None:
        """Writes the configuration (mode 0600: it holds the password)."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = "\n".join(f"{name} {value}" for name, value in self._settings().items()) + "\n"
        write_private(self._config, text)

    def command(self) -> Command:
        """`valkey-server` with its configuration file."""
        return Command([str(self._program), str(self._config)], {"LC_ALL": "C.UTF-8"}, self._directory)

    async def probe(self, pid: int) -> str:
        """AUTH and PING; a server that still loads its data answers -LOADING."""
        try:
            async with asyncio.timeout(PROBE_S):
                return await self._ping()
        except (OSError, TimeoutError) as error:
            return f"no answer: {error!r}"

    def cleanup(self) -> None:
        """The socket stays behind after a SIGKILL; the next start replaces it."""
        self._socket.unlink(missing_ok=True)

    @property
    def _config(self) -> Path:
        return self._directory / "valkey.conf"

    def _settings(self) -> dict[str, str]:
        return {
            "port": "0",
            "unixsocket": _quoted(self._socket),
            "unixsocketperm": "700",
            "requirepass": _quoted(self._password),
            "dir": _quoted(self._directory),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            # An event must never be dropped to make room; a full memory is an error that the publisher sees.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "notice",
            "always-show-logo": "no",
        }

    async def _ping(self) -> str:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            secret = self._password.encode()
            writer.write(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n" % (len(secret), secret))
            answers = [await reader.readline(), await reader.readline()]
        finally:
            writer.close()
        if answers == [b"+OK\r\n", b"+PONG\r\n"]:
            return ""
        return b" ".join(answers).decode(errors="replace").strip() or "it hung up"


def _quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
