"""What the contract needs to know of a driver beside the interface: how to make one, and what its ground can do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from orchestrator.drivers.base import Driver
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.egress.client import Egress
from orchestrator.drivers.local.layout import LocalConfig
from orchestrator.release import dialing


class Rig(Protocol):
    """One ground on which drivers of a kind work; what one of them starts the others find."""

    scratch: Path

    async def driver(self) -> Driver:
        """One more driver on this ground, open."""

    def connect(self, address: str) -> socket.socket:
        """Connects as a router does.

        Raises:
            OSError: nobody listens.
        """

    def bounds_memory(self) -> bool:
        """Whether an instance's memory is bounded here."""


class LocalRig:
    """Sandboxed processes of this machine."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.config = LocalConfig(scratch / "work", scratch / "run", owner_pid=os.getpid())
        self._drivers: list[LocalDriver] = []

    async def driver(self) -> Driver:
        driver = LocalDriver(self.config)
        await driver.open()
        self._drivers.append(driver)
        return driver

    def connect(self, address: str) -> socket.socket:
        return dialing.connect(address, 10.0)

    def bounds_memory(self) -> bool:
        return self._drivers[0]._ground.cgroups.available

    async def close(self) -> None:
        last = await self.driver()
        await asyncio.gather(*(last.stop(info.instance_id, 0) for info in await last.list()))
        for driver in self._drivers:
            with contextlib.suppress(OSError):  # a test may have closed it
                await driver.close()
        await Egress(self.config).stop()


@asynccontextmanager
async def local() -> AsyncIterator[Rig]:
    scratch = Path(tempfile.mkdtemp(prefix="so-"))  # a short path: unix sockets lie in it
    rig = LocalRig(scratch)
    try:
        yield rig
    finally:
        await rig.close()
        shutil.rmtree(scratch, ignore_errors=True)


RIGS: Mapping[str, Callable[[], contextlib.AbstractAsyncContextManager[Rig]]] = {"local": local}
