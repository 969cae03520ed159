"""Runs a plan's steps, each in a sandbox of its own that dies with this process, its task or its deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import time
from collections import deque
from pathlib import Path
from typing import Final

import orjson

from kernel.tasks import spawn, stop
from orchestrator.build.plan import BuildPlan
from orchestrator.drivers.base import BuildJob, BuildResult, LogStream, OnLine, Reason
from orchestrator.drivers.local import cgroups
from orchestrator.drivers.local.ground import Ground
from orchestrator.drivers.local.launch import frame, program, read_child_pid
from orchestrator.drivers.local.lines import KEEP_LAST, LineSplitter
from orchestrator.drivers.local.sandbox import CACHE, Sandbox

DISK_CHECK_S: Final = 5.0
_DRAIN_S: Final = 2.0


class LocalBuilds:
    """Builds on this machine."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def run(self, job: BuildJob, on_line: OnLine) -> BuildResult:
        """Runs install and build; see `Driver.build`."""
        if not job.plan.steps:
            return BuildResult(ok=True)
        ground = self._ground
        cache = self._cache(job.project_id)
        egress = await ground.egress.open(job.project_id)
        sandbox = ground.sandbox(
            job.source_dir, job.project_id, job.plan.runtime, job.limits, cache=cache, egress=egress
        )
        if sandbox.uid is not None:
            await asyncio.to_thread(give, job.source_dir, sandbox.uid)
        started, timings = time.monotonic(), dict[str, int]()
        deadline = started + job.limits.deadline_s
        output = _Output(job, on_line)
        for name, command in job.plan.steps:
            began = time.monotonic()
            await output.say(f"$ {command}")
            step = _Step(ground, job, sandbox, name, output)
            reason, status = await step.run(command, deadline)
            timings[name] = round((time.monotonic() - began) * 1000)
            if reason:
                return BuildResult(False, name, reason, status, tuple(output.last), timings)
        await asyncio.to_thread(self._bound_cache, cache)
        return BuildResult(ok=True, timings_ms=timings)

    def _cache(self, project_id: str) -> Path:
        path = self._ground.config.caches / project_id
        path.mkdir(parents=True, exist_ok=True)
        if (uid := self._ground.accounts.uid_of(project_id)) is not None:
            os.chown(path, uid, uid)
        return path

    def _bound_cache(self, cache: Path) -> None:
        if tree_bytes(cache) > self._ground.config.cache_bytes:
            shutil.rmtree(cache, ignore_errors=True)


class _Output:
    """Passes lines on up to the limit, and keeps the last."""

    def __init__(self, job: BuildJob, on_line: OnLine) -> None:
        self._left = job.limits.log_bytes
        self._on_line = on_line
        self.last: deque[str] = deque(maxlen=KEEP_LAST)

    async def line(self, stream: LogStream, text: str) -> None:
        self.last.append(text)
        before, self._left = self._left, self._left - len(text) - 1
        if self._left >= 0:
            await self._on_line(stream, text)
        elif before >= 0:
            await self._on_line("platform", "the output is over its limit: the rest is not kept")

    async def say(self, text: str) -> None:
        self.last.clear()
        await self._on_line("platform", text)


class _Step:
    """One command in its sandbox."""

    def __init__(self, ground: Ground, job: BuildJob, sandbox: Sandbox, name: str, output: _Output) -> None:
        self._ground, self._job, self._sandbox, self._output = ground, job, sandbox, output
        self._group = f"{job.build_id}-{name}"
        self._child = -1  # pidfd of the sandbox's first process
        self._reason: Reason = ""
        self._oom = False

    async def run(self, command: str, deadline: float) -> tuple[Reason, int]:
        """Runs it to its end; returns why it failed ("" when it did not) and the status."""
        limits = self._job.limits
        groups = self._ground.cgroups.make(
            self._group, memory_bytes=limits.memory_bytes, processes=limits.processes, cpus=limits.cpus
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
                    self._child = await asyncio.to_thread(_open_child, info_read)
                await self._order(ours, command)
                status = await self._follow(process, ours, deadline)
        finally:
            await self._end(process, groups)
        return self._verdict(status)

    async def _spawn(self, control: socket.socket, info: int, groups: list[str]) -> asyncio.subprocess.Process:
        launch = self._ground.launch(self._sandbox, groups)
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

    async def _order(self, control: socket.socket, command: str) -> None:
        job = self._job
        env = build_environment(job.plan) | dict(job.plan.build_env) | dict(job.env)
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
        return _told(control, status)

    async def _read(self, stream: LogStream, reader: asyncio.StreamReader | None) -> None:
        splitter = LineSplitter(self._job.limits.line_bytes)
        while reader is not None and (data := await reader.read(65536)):
            for line in splitter.feed(data):
                await self._output.line(stream, line)
        for line in splitter.end():
            await self._output.line(stream, line)

    async def _watch(self, deadline: float) -> None:
        """Ends the step at its deadline or when its directory has grown too large."""
        limit = self._job.limits.disk_bytes
        while (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(left, DISK_CHECK_S))
            if await asyncio.to_thread(tree_bytes, self._job.source_dir) > limit:
                self._reason = "disk"
                await self._output.line("platform", f"the build wrote more than {limit >> 20} MiB")
                break
        else:
            self._reason = "deadline"
            await self._output.line("platform", f"the build took more than {self._job.limits.deadline_s:.0f} s")
        self._kill()

    def _kill(self) -> None:
        """Ends the sandbox's first process, which takes all others of its pid namespace along."""
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
            return ("disk", 0) if tree_bytes(self._job.source_dir) > self._job.limits.disk_bytes else ("", 0)
        if self._oom:
            return "memory", status
        return ("signal" if status < 0 else "exit"), status


def _open_child(info: int) -> int:
    """A pidfd of the sandbox's first process, -1 when there is none; reads --info-fd to its end."""
    try:
        pid = read_child_pid(info)
        return os.pidfd_open(pid) if pid else -1
    except ProcessLookupError:
        return -1
    finally:
        os.close(info)


def build_environment(plan: BuildPlan) -> dict[str, str]:
    """Where tools keep their downloads, and how to make them quiet."""
    env = {
        "XDG_CACHE_HOME": str(CACHE),
        "npm_config_cache": str(CACHE / "npm"),
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "COMPOSER_CACHE_DIR": str(CACHE / "composer"),
        "COMPOSER_NO_INTERACTION": "1",
        "npm_config_fund": "false",
        "npm_config_audit": "false",
        "npm_config_update_notifier": "false",
        "npm_config_progress": "false",
        "NEXT_TELEMETRY_DISABLED": "1",
        "ASTRO_TELEMETRY_DISABLED": "1",
        "NO_COLOR": "1",
    }
    if plan.runtime == "python":
        env["VIRTUAL_ENV"] = str(Path("/app", plan.root_dir, ".venv"))
    return env


def _told(control: socket.socket, of_bwrap: int) -> int:
    """The step's status as the agent told it, which can tell a signal from a status above 128."""
    with contextlib.suppress(OSError, ValueError):
        for line in control.recv(4096).decode("ascii").splitlines():
            if line.startswith("exit "):
                return int(line[5:])
    return 128 - of_bwrap if of_bwrap > 128 else of_bwrap


def give(tree: Path, uid: int) -> None:
    """Gives a tree to a uid; links themselves, never what they point to."""
    os.lchown(tree, uid, uid)
    for directory, names, files in os.walk(tree):
        for name in (*names, *files):
            os.lchown(os.path.join(directory, name), uid, uid)  # noqa: PTH118 - ten thousands of files


def tree_bytes(tree: Path) -> int:
    """What a tree takes on disk, in bytes; files that vanish meanwhile do not count."""
    total, pending = 0, [str(tree)]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total
