"""One command of a build in its sandbox: started, followed, ended, judged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping
from typing import Final

import orjson

from kernel.tasks import spawn, stop
from orchestrator.drivers.base import BuildJob, LogStream, Reason
from orchestrator.drivers.local import cgroups
from orchestrator.drivers.local.census import Taken, free, memory_bytes, taken
from orchestrator.drivers.local.ground import Ground
from orchestrator.drivers.local.launch import frame, program, read_child_pid
from orchestrator.drivers.local.output import BuildOutput
from orchestrator.drivers.local.sandbox import Sandbox

LOOK_S: Final = 0.25
COUNT_S: Final = 5.0  # counting a large tree takes a while; in between the file system's free space tells enough
KEPT_FREE: Final = Taken(256 << 20, 10_000)  # what no build may take from the machine
_DRAIN_S: Final = 2.0


class Step:
    """Runs one command to its end, whatever it does.

    Args:
        ground: of the driver.
        job: whose limits hold.
        sandbox: where it runs.
        name: of the step; with the build's id it names the control group.
        output: where its output goes.
    """

    def __init__(self, ground: Ground, job: BuildJob, sandbox: Sandbox, name: str, output: BuildOutput) -> None:
        self._ground, self._job, self._sandbox, self._output = ground, job, sandbox, output
        self._group = f"{job.build_id}-{name}"
        self._child, self._pid = -1, 0  # the sandbox's first process: a pidfd, and its number
        self._reason: Reason = ""
        self._oom = False

    async def run(self, command: str, env: Mapping[str, str], deadline: float) -> tuple[Reason, int]:
        """Runs it; returns why it failed ("" when it did not) and the status.

        Args:
            command: for the shell.
            env: beneath what every sandbox has.
            deadline: on the monotonic clock.
        """
        limits = self._job.limits
        groups = self._ground.cgroups.make(
            self._group,
            memory_bytes=limits.memory_bytes,
            processes=limits.processes,
            cpus=limits.cpus,
            weight=limits.cpu_weight,
        )
        ours, theirs = socket.socketpair()
        info_read, info_write = os.pipe()
        process: asyncio.subprocess.Process | None = None
        try:
            with ours:
                try:
                    process = await self._spawn(theirs, info_write, groups)
                finally:
                    theirs.close()
                    os.close(info_write)
                    # Also when it failed: with no writer left, this only closes the pipe.
                    self._pid, self._child = await asyncio.to_thread(_open_child, info_read)
                await self._order(ours, command, env)
                status = await self._follow(process, ours, deadline)
        finally:
            await self._end(process, groups)
        return await asyncio.to_thread(self._verdict, status)

    async def _spawn(self, control: socket.socket, info: int, groups: list[str]) -> asyncio.subprocess.Process:
        launch = self._ground.launch(self._sandbox, groups, self._job.limits.nice)
        arguments = [str(control.fileno()), str(info), str(os.getpid())]
        process = await asyncio.create_subprocess_exec(
            *program("orchestrator.drivers.local.launch"), *arguments, pass_fds=(control.fileno(), info), env={},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        if process.stdin is not None:
            spec = launch._asdict()
            with contextlib.suppress(OSError):  # it ended at once: its status says why
                process.stdin.write(orjson.dumps(spec))
                await process.stdin.drain()
            process.stdin.close()
        return process

    async def _order(self, control: socket.socket, command: str, env: Mapping[str, str]) -> None:
        job = self._job
        orders = self._ground.orders(self._sandbox, command, job.plan.root_dir, env, job.limits)
        control.setblocking(False)
        with contextlib.suppress(OSError):  # it did not come up: its status and stderr say why
            await asyncio.get_running_loop().sock_sendall(control, frame(orders))

    async def _follow(self, process: asyncio.subprocess.Process, control: socket.socket, deadline: float) -> int:
        name = self._group
        readers = [
            spawn(self._read("stdout", process.stdout), f"{name}-stdout"),
            spawn(self._read("stderr", process.stderr), f"{name}-stderr"),
        ]
        watch = spawn(self._watch(deadline), f"{name}-watch")
        try:
            status = await process.wait()
            # What is still in the pipes; nobody is left who could write more.
            await asyncio.wait(readers, timeout=_DRAIN_S)
        finally:
            await stop(watch, *readers)
        await self._output.end()
        return _told(control, status)

    async def _read(self, stream: LogStream, reader: asyncio.StreamReader | None) -> None:
        while reader is not None and (data := await reader.read(65536)):
            await self._output.feed(stream, data)
            if self._output.too_much and not self._reason:
                self._stop_for("output")

    # --- what it may take ---------------------------------------------------------------------------------------------

    async def _watch(self, deadline: float) -> None:
        """Ends the step when its time is over, or when it has taken too much."""
        before, counted = free(self._job.source_dir), time.monotonic()
        while not self._reason and (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(left, LOOK_S))
            if self._holds_too_much():
                self._stop_for("memory")
            elif self._has_eaten(before) or time.monotonic() - counted > COUNT_S:
                if await asyncio.to_thread(self._over_disk, cache=True):
                    self._stop_for("disk")
                before, counted = free(self._job.source_dir), time.monotonic()
        if not self._reason:
            self._stop_for("deadline")

    def _holds_too_much(self) -> bool:
        """Where no group bounds its memory, we do."""
        return not self._ground.cgroups.available and memory_bytes(self._pid) > self._job.limits.memory_bytes

    def _has_eaten(self, before: Taken) -> bool:
        """Whether so much of the file system went meanwhile that it is time to count."""
        now, limits = free(self._job.source_dir), self._job.limits
        return (
            before.bytes - now.bytes > limits.disk_bytes // 4
            or before.entries - now.entries > limits.entries // 4
            or now.bytes < KEPT_FREE.bytes
            or now.entries < KEPT_FREE.entries
        )

    def _over_disk(self, *, cache: bool = False) -> bool:
        """Whether the tree, or the cache that grows meanwhile, or the machine's whole disk is over its limit."""
        limits, left = self._job.limits, free(self._job.source_dir)
        if left.bytes < KEPT_FREE.bytes or left.entries < KEPT_FREE.entries:
            return True
        tree = taken(self._job.source_dir, enough=limits.entries + 1)
        if tree.bytes > limits.disk_bytes or tree.entries > limits.entries:
            return True
        if not cache or self._sandbox.cache is None:
            return False
        downloads = taken(self._sandbox.cache, enough=limits.entries * 4)
        return downloads.bytes > self._ground.config.cache_bytes + limits.disk_bytes

    # --- its end ------------------------------------------------------------------------------------------------------

    def _stop_for(self, reason: Reason) -> None:
        """Ends the sandbox's first process, which takes all others of its pid namespace along."""
        self._reason = reason
        self._kill()

    def _kill(self) -> None:
        if self._child >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._child, signal.SIGKILL)

    async def _end(self, process: asyncio.subprocess.Process | None, groups: list[str]) -> None:
        self._oom = cgroups.oom_kills(groups) > 0
        if process is not None and process.returncode is None:
            self._kill()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
        if self._child >= 0:
            os.close(self._child)
        await asyncio.shield(asyncio.to_thread(cgroups.kill_and_remove, groups))

    def _verdict(self, status: int) -> tuple[Reason, int]:
        if self._reason:
            return self._reason, status
        if not status:
            return ("disk", 0) if self._over_disk() else ("", 0)
        if self._oom:
            return "memory", status
        return ("signal" if status < 0 else "exit"), status


def _open_child(info: int) -> tuple[int, int]:
    """The sandbox's first process, as its number and a pidfd (-1 when there is none); reads --info-fd to its end."""
    try:
        pid = read_child_pid(info)
        return pid, os.pidfd_open(pid) if pid else -1
    except ProcessLookupError:
        return 0, -1
    finally:
        os.close(info)


def _told(control: socket.socket, of_bwrap: int) -> int:
    """The step's status as the agent told it, which can tell a signal from a status above 128."""
    with contextlib.suppress(OSError, ValueError):
        for line in control.recv(4096).decode("ascii").splitlines():
            if line.startswith("exit "):
                return int(line[5:])
    return 128 - of_bwrap if of_bwrap > 128 else of_bwrap
