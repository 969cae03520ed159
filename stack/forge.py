"""Starts processes: Python services by forking them from a zygote (stack/zygote.py), everything else by exec."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from kernel.errors import ShipoffError
from stack.logs import LogPump
from stack.process import Command, Process
from stack.zygote import FORK, PADDING, READY

log = logging.getLogger(__name__)
WARM_S: Final = 30.0  # imports take one or two
FORK_S: Final = 10.0
REST_S: Final = 60.0  # after a zygote that did not get ready; until then everything is started by exec


class Forge:
    """Starts the processes of a stack. Without a working zygote, services are started like everything else.

    Args:
        env: what the zygote's environment starts from.
        cwd: its working directory.
        logs: where its output goes.
    """

    def __init__(self, env: Mapping[str, str], cwd: Path, logs: LogPump) -> None:
        self._env, self._cwd, self._logs = env, cwd, logs
        self._socket: socket.socket | None = None
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._rests_until = 0.0

    async def warm_up(self) -> None:
        """Starts the zygote, so that it is ready when the first service is asked for."""
        async with self._turn:
            await self._zygote()

    async def start(self, command: Command, output: int, errors: int | None = None) -> Process:
        """Starts a process.

        Args:
            command: what to run; `python -m module` is forked from the zygote.
            output: descriptor for its stdout, and for its stderr unless it gets one of its own.
            errors: descriptor for its stderr.

        Raises:
            ShipoffError: SPAWN_FAILED.
        """
        argv = list(command.argv)
        if argv[:2] == [sys.executable, "-m"] and len(argv) == 3:
            async with self._turn:
                forked = await self._fork(argv[2], command, (output, output if errors is None else errors))
            if forked is not None:
                return forked
        return Process.start(command, output, errors)

    async def stop(self) -> None:
        """Ends the zygote; what it forked goes on."""
        async with self._turn:
            self._rests_until = math.inf
            await self._drop()

    async def _fork(self, module: str, command: Command, outputs: tuple[int, int]) -> Process | None:
        order = {
            "module": module,
            "env": dict(command.env),
            "cwd": str(command.cwd),
            "death_signal": int(command.death_signal),
        }
        for _ in range(2):  # a zygote that died since the last time is replaced once
            zygote = await self._zygote()
            if zygote is None:
                return None
            try:
                return await self._give(zygote, orjson.dumps(order), outputs)
            except (OSError, TimeoutError, ValueError) as error:
                log.warning("the zygote is gone (%r)", error)
                await self._drop()
        return None

    async def _give(self, zygote: socket.socket, order: bytes, outputs: tuple[int, int]) -> Process:
        """Has a process forked, and tells it what to be once it is known to be a child of ours."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                socket.send_fds(zygote, [FORK], [theirs.fileno(), *outputs])
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(FORK_S):
                process = Process(int(await loop.sock_recv(ours, 16)))  # ValueError when it ended instead
                await loop.sock_sendall(ours, order)
        return process

    async def _zygote(self) -> socket.socket | None:
        clock = asyncio.get_running_loop().time
        if self._socket is None and clock() >= self._rests_until:
            try:
                self._socket = await self._begin()
            except (OSError, TimeoutError, ShipoffError) as error:
                log.warning("no zygote (%r): services are started one by one, and share no memory", error)
                self._rests_until = clock() + REST_S
                await self._drop()
        return self._socket

    async def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        output = self._logs.open("zygote")
        variables = {"SHIPOFF_ZYGOTE_SOCKET": str(theirs.fileno()), "SHIPOFF_ZYGOTE_OWNER": str(os.getpid())}
        argv = [sys.executable, "-m", "stack.zygote", PADDING]
        try:
            command = Command(argv, {**self._env, **variables}, self._cwd, keep=(theirs.fileno(),))
            self._process = Process.start(command, output)
        finally:
            theirs.close()
            os.close(output)
        try:
            async with asyncio.timeout(WARM_S):
                if await asyncio.get_running_loop().sock_recv(ours, len(READY)) != READY:
                    raise ConnectionResetError("it ended while it started")
        except BaseException:
            ours.close()
            raise
        return ours

    async def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None
