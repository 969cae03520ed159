"""Keeps units running: start when their time has come, again when they die, and in order to the end.

    WAITING -> STARTING -> READY -> (it ends) RESTARTING -> STARTING -> READY …
                                              RESTARTING -> FAILED     after GIVE_UP ends in a row
    any     -> STOPPING -> STOPPED

A unit that stayed up for STABLE_S starts its count of failures anew. One that never was ready gets FIRST_TRIES, because
then somebody waits at the terminal and the reason will not go away by itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from kernel import tasks
from kernel.errors import ShipoffError, define
from stack.forge import Forge
from stack.logs import LogPump
from stack.process import Process
from stack.unit import Unit, until_ready

UNIT_FAILED = define("UNIT_FAILED", hint="its log says why: see the logs folder of the state directory")
GIVE_UP: Final = 10
FIRST_TRIES: Final = 3
STABLE_S: Final = 30.0
PAUSE_S: Final = 0.1  # doubles with each failure
PAUSE_MOST_S: Final = 10.0
RECOVER_S: Final = 600.0  # a restarted unit may wait this long for what it depends on

log = logging.getLogger(__name__)


class UnitState(StrEnum):
    """What a unit is doing."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Supervised:
    """One unit under supervision.

    Args:
        unit: it.
        after: set when what it depends on is ready; only its first start waits for them.
        forge: what starts it.
        logs: where its output goes.
        changed: called after every change of its state.
    """

    def __init__(
        self,
        unit: Unit,
        after: Sequence[asyncio.Event],
        forge: Forge,
        logs: LogPump,
        changed: Callable[[Supervised], None],
    ) -> None:
        self.unit = unit
        self.state = UnitState.WAITING
        self.restarts = 0
        self.last_exit: int | None = None
        self.ready = asyncio.Event()
        self._after, self._forge, self._logs, self._changed = after, forge, logs, changed
        self._process: Process | None = None
        self._halt = asyncio.Event()
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The unit's."""
        return self.unit.name

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def start(self) -> None:
        """Begins; see `first_ready`."""
        self._task = tasks.spawn(self._run(), f"unit {self.name}")

    async def first_ready(self) -> None:
        """Waits until it is ready for the first time.

        Raises:
            ShipoffError: UNIT_FAILED.
        """
        await asyncio.shield(self._outcome)

    async def stop(self) -> None:
        """Ends it for good."""
        self._halt.set()
        if self.state is not UnitState.FAILED:
            self._set(UnitState.STOPPING)
        await tasks.stop(self._task)
        if self._process is not None:
            self.last_exit = await self._process.stop(self.unit.stop_signal, self.unit.stop_within_s)
            self.unit.cleanup()
        if self.state is not UnitState.FAILED:
            self._set(UnitState.STOPPED)

    async def _run(self) -> None:
        for event in self._after:
            await event.wait()
        clock = asyncio.get_running_loop().time
        while not self._halt.is_set():
            begun = clock()
            reason = await self._once()
            if self._halt.is_set():
                return
            if clock() - begun >= STABLE_S:
                self._failures = 0
            self._failures += 1
            if self._failures >= (GIVE_UP if self.ready.is_set() else FIRST_TRIES):
                self._fail(reason)
                return
            self.restarts += 1
            self._set(UnitState.RESTARTING)
            pause = min(PAUSE_S * 2 ** (self._failures - 1), PAUSE_MOST_S)
            log.warning("%s; starting it again in %.1f s", reason, pause)
            await asyncio.sleep(pause)

    async def _once(self) -> str:
        """One life of the process; returns how it ended."""
        self._set(UnitState.STARTING)
        output = self._logs.open(self.name)
        try:
            await self.unit.prepare()
            self._process = await self._forge.start(self.unit.command(), output)
        except ShipoffError as error:
            return f"{self.name} cannot start: {error}"
        finally:
            os.close(output)
        self._changed(self)
        return await self._watch(self._process)

    async def _watch(self, process: Process) -> str:
        within = RECOVER_S if self.ready.is_set() else self.unit.ready_within_s
        try:
            await until_ready(self.unit, process, within)
        except ShipoffError as error:
            process.kill()
            self.last_exit = await process.wait()
            return error.detail
        self.ready.set()
        self._set(UnitState.READY)
        if not self._outcome.done():
            self._outcome.set_result(None)
        self.last_exit = await process.wait()
        return f"{self.name} ended with status {self.last_exit}"

    def _fail(self, reason: str) -> None:
        log.critical("%s; giving it up after %d failures in a row", reason, self._failures)
        if not self._outcome.done():
            said = "".join(f"\n    {line}" for line in self._logs.tail(self.name))
            self._outcome.set_exception(UNIT_FAILED(f"{reason}; the last lines of its log:{said}"))
        self._set(UnitState.FAILED)

    def _set(self, state: UnitState) -> None:
        self.state = state
        self._changed(self)


async def stop_in_order(units: Mapping[str, Supervised], after: Mapping[str, Sequence[str]]) -> None:
    """Stops units, each once all that depend on it have stopped.

    Args:
        units: by name.
        after: what each depends on (names that are no unit are ignored).
    """
    stopped = {name: asyncio.Event() for name in units}

    async def one(name: str) -> None:
        for other in units:
            if name in after.get(other, ()):
                await stopped[other].wait()
        try:
            await units[name].stop()
        finally:
            stopped[name].set()

    results = await asyncio.gather(*(one(name) for name in units), return_exceptions=True)
    for name, result in zip(units, results, strict=True):
        if isinstance(result, BaseException):
            log.error("%s did not stop cleanly", name, exc_info=result)
