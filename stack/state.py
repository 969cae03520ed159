"""The state directory: one lock, one set of secrets, the ports that were chosen, and where everything lies.

Everything that a stack keeps is below this directory, so that removing it removes the stack. The one exception is the
run directory: unix sockets allow 108 bytes of path, so a long state directory gets a short one in /tmp for them.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Any, Final

from kernel.errors import define
from stack.files import write_private
from stack.ports import claim, free_ports
from stack.settings import StackSettings

STACK_RUNNING = define(
    "STACK_RUNNING",
    source="client",
    status=409,
    hint="`shipoff down` stops it, `shipoff status` shows it; another --dir is another stack",
)
STATE_UNUSABLE = define("STATE_UNUSABLE", hint="choose another --dir, or correct its owner and permissions")
RUN_DIR_BYTES: Final = 50  # what instances and servers append to it stays below 57 bytes
_PORTS: Final = {
    "auth": 7001,
    "auth.admin": 7101,
    "projects": 7002,
    "projects.admin": 7102,
    "orchestrator": 7003,
    "orchestrator.admin": 7103,
    "logsink": 7004,
    "logsink.admin": 7104,
    "gateway": 8000,
    "gateway.admin": 8001,
    "router": 8080,
    "router.admin": 9080,
}
_SECRETS: Final = ("service_token", "postgres", "valkey", "s3_access", "s3_secret", "s3_signing")
_ROLES: Final = ("auth", "projects", "orchestrator", "logsink")


class State:
    """One state directory.

    Args:
        directory: made when missing.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._lock: int | None = None

    @property
    def logs(self) -> Path:
        """One log file per unit."""
        return self.directory / "logs"

    @property
    def status(self) -> Path:
        """What `shipoff status` reads."""
        return self.directory / "status.json"

    def open(self) -> None:
        """Makes the directory and takes its lock for the life of this process.

        Raises:
            ShipoffError: STACK_RUNNING, STATE_UNUSABLE.
        """
        try:
            # Search permission for all: apps may run under uids of their own; every file in it is private by itself.
            self.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise STATE_UNUSABLE(f"{self.directory}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode().strip() or "?"
            os.close(descriptor)
            raise STACK_RUNNING(f"a stack runs in {self.directory} already (pid {holder})") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor

    def owner(self) -> int | None:
        """The pid of the process that holds the lock, or None."""
        try:
            descriptor = os.open(self.directory / "lock", os.O_RDWR)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise STATE_UNUSABLE(f"{self.directory}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(descriptor, 20, 0).decode()
            return int(pid) if pid.isdigit() else None
        finally:
            os.close(descriptor)
        return None

    def close(self) -> None:
        """Gives the lock back."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """The stack's secrets; made on first use, mode 0600.

        Raises:
            ShipoffError: STATE_UNUSABLE.
        """
        path = self.directory / "secrets.json"
        known = self._json(path)
        wanted = {name: secrets.token_urlsafe(24) for name in (*_SECRETS, *(f"role_{role}" for role in _ROLES))}
        wanted["env_key"] = base64.b64encode(secrets.token_bytes(32)).decode()
        if not wanted.keys() <= known.keys():
            known = wanted | known
            write_private(path, json.dumps(known, indent=1))
        return known

    def keep_secrets(self, changed: dict[str, str]) -> None:
        """Replaces some of the secrets; what runs has them after its next start."""
        write_private(self.directory / "secrets.json", json.dumps(self.secrets() | changed, indent=1))

    def address(self, service: str) -> str:
        """Where a service of this directory's stack listens, host:port; "" before the first start."""
        port = self._json(self.directory / "ports.json").get(service)
        return f"127.0.0.1:{port}" if port else ""

    def ports(self, settings: StackSettings, together: dict[str, int]) -> dict[str, int]:
        """A free port for each name: the one that it had, else its default, else any; remembered.

        Args:
            settings: hold the preferred ports of router and gateway.
            together: further names, each with a free port; they keep what they had only if all of it is still free.

        Raises:
            ShipoffError: NO_PORT.
        """
        path = self.directory / "ports.json"
        before = self._json(path)
        had = {name: before.get(name, 0) for name in together}
        chosen = had if all(port and claim(port) for port in had.values()) else dict(together)
        preferred = _PORTS | {"gateway": settings.gateway_port, "router": settings.router_port}
        for name, default in preferred.items():
            wanted = [port for port in (before.get(name), default) if port and port not in chosen.values()]
            free = next((port for port in wanted if claim(port, settings.host)), None)
            chosen[name] = free or free_ports(1, avoid={*chosen.values(), *preferred.values()})[0]
        write_private(path, json.dumps(chosen, indent=1))
        return chosen

    def run_dir(self) -> Path:
        """A short private folder for unix sockets."""
        inside = self.directory / "run"
        if len(os.fsencode(inside)) <= RUN_DIR_BYTES:
            inside.mkdir(mode=0o711, exist_ok=True)
            return inside
        path = self.directory / "run.json"
        known = Path(self._json(path).get("run_dir", "/nonexistent"))
        if not _is_ours(known):
            known = Path(tempfile.mkdtemp(prefix="shipoff-", dir="/tmp"))
            known.chmod(0o711)
            write_private(path, json.dumps({"run_dir": str(known)}))
        return known

    def note(self, name: str, value: str) -> None:
        """Remembers a fact about the stack, e.g. that its owner was made."""
        path = self.directory / "facts.json"
        write_private(path, json.dumps(self._json(path) | {name: value}, indent=1))

    def fact(self, name: str) -> str:
        """A remembered fact, or ""."""
        value = self._json(self.directory / "facts.json").get(name, "")
        return str(value)

    def _json(self, path: Path) -> dict[str, Any]:
        try:
            values: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise STATE_UNUSABLE(f"{path}: {error}") from error
        return values


def _is_ours(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
