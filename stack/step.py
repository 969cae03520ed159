"""One-off programs of the platform: they run to their end in a process of their own and answer in JSON lines.

What they import (a Postgres driver, gRPC) would otherwise stay in the supervising process for as long as it lives.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from kernel.errors import define
from stack.logs import LogPump
from stack.process import Command, Process

STEP_FAILED = define("STEP_FAILED", hint="its log says why: see the logs folder of the state directory")
LINE_BYTES: Final = 256 * 1024


async def run_step(
    module: str, env: Mapping[str, str], cwd: Path, logs: LogPump, within_s: float
) -> AsyncIterator[dict[str, Any]]:
    """Runs `python -m module` and yields what it prints, one JSON object a line, while it runs.

    Args:
        module: e.g. "stack.prepare"; its stderr goes to the log of that name.
        env: its whole environment.
        cwd: its working directory.
        logs: where its stderr goes.
        within_s: seconds it may take in all.

    Raises:
        ShipoffError: STEP_FAILED with the last lines of its log.
    """
    name = module.rpartition(".")[2]
    errors = logs.open(name)
    read, write = os.pipe()
    try:
        process = Process.start(Command([sys.executable, "-m", module], env, cwd), write, errors)
    except BaseException:
        os.close(read)
        raise
    finally:
        os.close(errors)
        os.close(write)
    try:
        async with asyncio.timeout(within_s):
            async for line in _lines(read):
                yield orjson.loads(line)
            status = await process.wait()
    except TimeoutError:
        raise STEP_FAILED(f"{name} did not end within {within_s:.0f} s") from None
    finally:
        process.kill()
    if status != 0:
        said = "".join(f"\n    {line}" for line in logs.tail(name))
        raise STEP_FAILED(f"{name} ended with status {status}:{said}")


async def _lines(descriptor: int) -> AsyncIterator[bytes]:
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        while line := await reader.readline():
            yield line
    finally:
        transport.close()
