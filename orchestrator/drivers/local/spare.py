"""Keepers that are started before they are needed, because a first visitor waits for every interpreter that starts.

A keeper reads its order from stdin, so one that was started ahead waits there; when the orchestrator ends, however, it
reads the end of the pipe and ends too.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import Process
from typing import Final

from kernel.tasks import spawn, stop
from orchestrator.drivers.local.launch import program

REFILL_S: Final = 1.0  # after one was taken: the instance that it starts has the processor first


class SpareKeepers:
    """One keeper that waits for an order."""

    def __init__(self) -> None:
        self._spare: Process | None = None
        self._refill: asyncio.Task[None] | None = None

    async def take(self) -> Process:
        """A keeper that takes its order on stdin and reports on stdout: the spare, or a new one."""
        spare, self._spare = self._spare, None
        if self._refill is None or self._refill.done():
            self._refill = spawn(self._fill(), "spare keeper")
        return spare if spare is not None and spare.returncode is None else await _start()

    async def close(self) -> None:
        """Ends the spare."""
        await stop(self._refill)
        spare, self._spare = self._spare, None
        if spare is not None:
            with contextlib.suppress(ProcessLookupError):
                spare.kill()
            await spare.wait()

    async def _fill(self) -> None:
        await asyncio.sleep(REFILL_S)
        self._spare = await _start()


async def _start() -> Process:
    return await asyncio.create_subprocess_exec(
        *program("orchestrator.drivers.local.keeper"), env={}, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
