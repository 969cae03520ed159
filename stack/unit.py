"""A unit: one thing that the platform runs, server or service, and how it is brought to readiness.

`launch` is used by the supervisor and by the test fixtures alike, so that what the tests start is what users start.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from typing import Final, Protocol

from kernel.errors import define
from stack.process import Command, Process

NOT_READY = define(
    "UNIT_NOT_READY", retryable=True, hint="its log says why: see the logs folder of the state directory"
)
PROBE_EVERY_S: Final = 0.05


class Unit(Protocol):
    """Something to run.

    Attributes:
        name: unique in a stack; its log file is called so.
        stop_signal: what asks it to end.
        stop_within_s: seconds that it may take to end before it is killed.
        ready_within_s: seconds that it may take from its start to readiness.
    """

    name: str
    stop_signal: signal.Signals
    stop_within_s: float
    ready_within_s: float

    async def prepare(self) -> None:
        """Makes what the program needs before it runs; repeatable, and a crash in the middle must not matter."""

    def command(self) -> Command:
        """What to run."""

    async def probe(self, pid: int) -> str:
        """What is still missing, or nothing ("") when it can do its work now; answers within some seconds."""

    def cleanup(self) -> None:
        """Removes what a killed process leaves outside its state directory; runs after it has ended."""


async def launch(unit: Unit, output: int = subprocess.DEVNULL) -> Process:
    """Prepares and starts a unit, and waits until it is ready.

    Args:
        unit: what to start.
        output: descriptor for its stdout and stderr.

    Raises:
        ShipoffError: UNIT_NOT_READY when it ends or stays unready too long (it is stopped then); SPAWN_FAILED.
    """
    await unit.prepare()
    process = Process.start(unit.command(), output)
    try:
        await until_ready(unit, process, unit.ready_within_s)
    except BaseException:
        process.kill()
        await process.wait()
        unit.cleanup()
        raise
    return process


async def until_ready(unit: Unit, process: Process, within_s: float) -> None:
    """Probes until the unit is ready.

    Args:
        unit: whose probe is asked.
        process: its running process.
        within_s: seconds until the patience ends.

    Raises:
        ShipoffError: UNIT_NOT_READY.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + within_s
    missing = "nothing was asked yet"
    while process.returncode is None:
        missing = await unit.probe(process.pid)
        if not missing:
            return
        if loop.time() > give_up:
            raise NOT_READY(f"{unit.name} is not ready after {within_s:.0f} s: {missing}")
        await asyncio.sleep(PROBE_EVERY_S)
    raise NOT_READY(f"{unit.name} ended while starting, status {process.returncode}")
