"""Processes on a core of their own, and what they have used: CPU from the scheduler's own count, memory by share."""

# environ: the peers get this process's environment with their own settings added.
from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_START_S: Final = 60.0
_STOP_S: Final = 3.0
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
DESCRIPTORS: Final = 65_536


@functools.cache
def usable() -> tuple[int, ...]:
    """The cores that this process had when it began."""
    return tuple(sorted(os.sched_getaffinity(0)))


def cores() -> tuple[int, int]:
    """The cores of the proxy and of the load; the same one when there is only one."""
    return usable()[0], usable()[min(1, len(usable()) - 1)]


def take_load_core() -> None:
    """Puts this process on the load's core and gives it and its children as many descriptors as it may."""
    os.sched_setaffinity(0, {cores()[1]})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # only root may raise the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, DESCRIPTORS), max(hard, DESCRIPTORS)))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptors() -> int:
    """How many a process here may open."""
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], DESCRIPTORS)


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a tree of processes, in KB.

    Attributes:
        rss: resident; pages that two of them share count twice.
        pss: resident, shared pages by share, which others on the machine change.
        own: anonymous: what the programs have asked for.
    """

    rss: int
    pss: int
    own: int


class Process:
    """A started program and its children, pinned to one core; it ends when this process does.

    Attributes:
        pid: of the first process.
    """

    def __init__(self, argv: Sequence[str], core: int, log: IO[bytes], env: Mapping[str, str] | None = None) -> None:
        def prepare() -> None:
            os.sched_setaffinity(0, {core})
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        self._popen = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            preexec_fn=prepare,  # noqa: PLW1509 - no threads here
            start_new_session=True,
        )
        self.pid = self._popen.pid

    def ended(self) -> bool:
        """Whether it is gone."""
        return self._popen.poll() is not None

    def tree(self) -> list[int]:
        """The process and its descendants."""
        found = [self.pid]
        for pid in found:
            for task in _tasks(pid):
                with contextlib.suppress(OSError):
                    found += map(int, (task / "children").read_text().split())
        return found

    def cpu_ns(self) -> int:
        """Nanoseconds on a CPU, of all threads of the tree."""
        total = 0
        for pid in self.tree():
            for task in _tasks(pid):
                with contextlib.suppress(OSError):
                    total += int((task / "schedstat").read_text().split()[0])
        return total

    def ticks(self) -> tuple[int, int]:
        """Ticks in user and in kernel mode of the tree: coarse, for the split and not for the sum."""
        user = kernel = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                user, kernel = user + int(fields[11]), kernel + int(fields[12])
        return user, kernel

    def memory(self) -> Memory:
        """What the tree has of memory."""
        total = [0, 0, 0]
        for pid in self.tree():
            with contextlib.suppress(OSError):
                fields = dict(line.split()[:2] for line in _lines(f"/proc/{pid}/smaps_rollup")[1:])
                total = [kb + int(fields[name]) for kb, name in zip(total, ("Rss:", "Pss:", "Anonymous:"), strict=True)]
        return Memory(*total)

    def stop(self) -> None:
        """Ends the whole tree."""
        tree = self.tree()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_STOP_S)
        for pid in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._popen.wait()


def _tasks(pid: int) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from Path(f"/proc/{pid}/task").iterdir()


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def listens(port: int, within_s: float) -> bool:
    """Whether somebody does, at the latest after so long."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False


def wait_for(port: int, process: Process, log: Path) -> None:
    """Waits until somebody listens.

    Raises:
        RuntimeError: the process ended or did not listen in time; with the end of its log.
    """
    until = time.monotonic() + _START_S
    while time.monotonic() < until and not process.ended():
        if listens(port, 0.1):
            return
    raise RuntimeError(f"{log.parent.name} does not listen:\n{log.read_text(errors='replace')[-2000:]}")
