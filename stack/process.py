"""A child process that dies with its parent, is its own session, and whose end is awaited through a pidfd.

Not asyncio's subprocesses: those start a thread per child, and their child watcher would race with the reaping of the
orphans that a subreaper inherits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from kernel.errors import define
from stack.linux import die_with_parent

SPAWN_FAILED = define("SPAWN_FAILED", hint="`shipoff doctor` says what this machine lacks")
KILL_S: Final = 5.0  # after SIGKILL a process is gone at once, unless it hangs in the kernel


@dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    Attributes:
        argv: program and arguments; never a secret.
        env: the whole environment of the child.
        cwd: its working directory.
        death_signal: what the kernel sends it when its parent is gone.
        before_exec: runs in the child first, e.g. to change its identity.
        keep: descriptors that it inherits beside the standard ones.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    death_signal: int = signal.SIGKILL
    before_exec: Callable[[], None] | None = None
    keep: Sequence[int] = ()


class Process:
    """A running child of this process.

    Args:
        pid: it.
        popen: the object that started it, if one did; it must not look for the end by itself.

    Attributes:
        live: pids of all children that somebody here waits for; whatever else is a child of ours is an orphan.
    """

    live: ClassVar[set[int]] = set()

    def __init__(self, pid: int, popen: subprocess.Popen[bytes] | None = None) -> None:
        self.live.add(pid)
        self.pid = pid
        self._popen = popen
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(pid)
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(self._pidfd, self._reap)

    @classmethod
    def start(cls, command: Command, output: int = subprocess.DEVNULL, errors: int | None = None) -> Process:
        """Forks and execs.

        Args:
            command: what to run.
            output: descriptor for its stdout, and for its stderr unless it gets one of its own.
            errors: descriptor for its stderr.

        Raises:
            ShipoffError: SPAWN_FAILED.
        """
        parent = os.getpid()

        def prepare() -> None:
            if command.before_exec is not None:
                command.before_exec()
            die_with_parent(parent, command.death_signal)

        try:
            popen = subprocess.Popen(
                list(command.argv),
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output if errors is None else errors,
                pass_fds=command.keep,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 — the fork is made in the main thread, before any lock is taken
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SPAWN_FAILED(f"{command.argv[0]}: {error}") from error
        return cls(popen.pid, popen)

    @property
    def returncode(self) -> int | None:
        """None while it runs; -N when signal N ended it."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Waits for the end; returns the exit status, -N for signal N."""
        return await asyncio.shield(self._ended)

    def send(self, number: int) -> None:
        """Sends a signal unless it has ended."""
        if not self._ended.done():
            os.kill(self.pid, number)

    async def stop(self, number: int = signal.SIGTERM, within_s: float = 10.0) -> int:
        """Asks it to end, kills its whole process group when it does not in time, and waits.

        Args:
            number: the polite signal.
            within_s: seconds until SIGKILL.
        """
        self.send(number)
        try:
            return await asyncio.wait_for(self.wait(), within_s)
        except TimeoutError:
            self.kill()
            return await asyncio.wait_for(self.wait(), KILL_S)

    def kill(self) -> None:
        """SIGKILL to it and its process group."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):  # forked a moment ago, it has no group of its own yet
                os.killpg(self.pid, signal.SIGKILL)
            os.kill(self.pid, signal.SIGKILL)

    def _reap(self) -> None:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return
        self.live.discard(self.pid)
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        code = os.waitstatus_to_exitcode(status)
        if self._popen is not None:
            self._popen.returncode = code
        if not self._ended.done():
            self._ended.set_result(code)
