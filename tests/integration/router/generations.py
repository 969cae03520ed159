"""Traffic that goes on while routers of real processes come and go."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any

from kernel.tasks import spawn
from tests.integration.router.wire import LIMIT_S, read_message


class Traffic:
    """Clients that ask without a pause, each request on a connection of its own or on a kept one."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._tls: dict[str, Any] = {"ssl": tls, "server_hostname": "app.test"} if tls is not None else {}
        self.port = port
        self.answered = 0
        self.failures: list[str] = []
        self._done = asyncio.Event()
        self._tasks = [spawn(self._run(kept), "test.traffic") for kept in (False, False, True, True)]

    async def _run(self, kept: bool) -> None:
        connection = None
        while not self._done.is_set():
            try:
                connection = connection or await asyncio.open_connection("127.0.0.1", self.port, **self._tls)
                reader, writer = connection
                writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
                answer = await read_message(reader)
                if answer.status != 200:
                    self.failures.append(answer.first)
                self.answered += 1
                if not kept or answer["connection"] == "close":
                    writer.close()
                    connection = None
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failures.append(repr(error))
                connection = None
            await asyncio.sleep(0.002)

    async def until(self, more: int) -> None:
        goal = self.answered + more
        async with asyncio.timeout(LIMIT_S):
            while self.answered < goal:
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._done.set()
        await asyncio.gather(*self._tasks)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def until_gone(*pids: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while any(alive(pid) for pid in pids):
            await asyncio.sleep(0.02)
