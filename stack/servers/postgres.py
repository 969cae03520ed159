"""Postgres on a unix socket, with scram passwords, sized for one machine."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from kernel.errors import define
from stack.files import write_private
from stack.process import Command, Process
from stack.servers.binaries import postgres_bin
from stack.servers.identity import not_root

INITDB_FAILED = define("INITDB_FAILED", hint="the log of the server has initdb's own words")
SUPERUSER: Final = "shipoff"
INITDB_S: Final = 60.0  # it takes less than one
# Small on purpose: idle memory counts, and four services with five connections each are the whole load.
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "16MB",  # the kernel's page cache holds the rest, and gives it back when it is needed
    "io_method": "sync",  # three processes less that wait for reads which the page cache answers
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "jit": "off",
    # Files in the data directory instead of /dev/shm: nothing outlives a SIGKILL there.
    "dynamic_shared_memory_type": "mmap",
    "logging_collector": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Postgres:
    """One cluster.

    Args:
        directory: its state; made when missing.
        run_dir: where its socket lies; short (108 bytes is the limit of a socket's path).
        password: of the superuser `shipoff`.
        settings: further server settings, e.g. fsync=off for a test.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, then a checkpoint
    stop_within_s = 20.0
    ready_within_s = 60.0  # crash recovery included

    def __init__(
        self, directory: Path, run_dir: Path, password: str, settings: Mapping[str, str] | None = None
    ) -> None:
        self._directory, self._data = directory, directory / "data"
        self._sockets = run_dir / "pg"
        self._password = password
        self._settings = {**_SETTINGS, **(settings or {}), "unix_socket_directories": str(self._sockets)}
        self._bin = postgres_bin()
        self._identity = not_root()

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """The libpq URL of a database for a role."""
        secret = quote(self._password if password is None else password, safe="")
        return f"postgresql://{quote(user)}:{secret}@/{quote(database)}?host={quote(str(self._sockets))}"

    async def prepare(self) -> None:
        """Makes the cluster, once: initdb works in a folder that is renamed when it is whole.

        Raises:
            ShipoffError: INITDB_FAILED, UNREACHABLE.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._data.exists():
            await self._initdb()
        self._identity.own(self._directory, self._sockets)
        await _wait_for_predecessor(self._data)

    def command(self) -> Command:
        """`postgres`; SIGQUIT ("immediate") when the parent dies, because only that also ends its own children."""
        argv = [str(self._bin / "postgres"), "-D", str(self._data)]
        for name, value in self._settings.items():
            argv += ["-c", f"{name}={value}"]
        return self._command(argv, death_signal=signal.SIGQUIT)

    async def probe(self, pid: int) -> str:
        """Reads postmaster.pid as pg_ctl does: its first line is the pid, its eighth the status."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return "no postmaster.pid"
        if len(lines) < 8 or lines[0].strip() != str(pid):
            return "starting"
        return "" if lines[7].strip() == "ready" else lines[7].strip()

    def cleanup(self) -> None:
        """Nothing lies outside the state directory but the socket, which the next start replaces."""

    async def _initdb(self) -> None:
        unfinished, secret = self._directory / "initdb", self._directory / "pwfile"
        shutil.rmtree(unfinished, ignore_errors=True)
        write_private(secret, self._password)
        self._identity.own(self._directory)
        argv = [str(self._bin / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, "-A", "scram-sha-256"]
        argv += [f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
        with (self._directory / "initdb.log").open("wb") as log:
            process = Process.start(self._command(argv), log.fileno())
        try:
            status = await asyncio.wait_for(process.wait(), INITDB_S)
        finally:
            process.kill()
            secret.unlink()
        if status != 0:
            words = (self._directory / "initdb.log").read_text(errors="replace").strip().splitlines()[-3:]
            raise INITDB_FAILED(f"initdb ended with status {status}: {' / '.join(words)}")
        unfinished.rename(self._data)

    def _command(self, argv: list[str], death_signal: int = signal.SIGKILL) -> Command:
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        return Command(argv, env, self._directory, death_signal, self._identity.enter)


async def _wait_for_predecessor(data: Path, within_s: float = 10.0) -> None:
    """Waits until the postmaster of an earlier, killed stack has left its data directory."""
    for _ in range(round(within_s / 0.05)):
        if not _postmaster_lives(data):
            return
        await asyncio.sleep(0.05)


def _postmaster_lives(data: Path) -> bool:
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        return Path(f"/proc/{pid}/cwd").resolve() == data.resolve()
    except (OSError, ValueError, IndexError):
        return False
