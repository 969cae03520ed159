"""Looks after endpoints that are set aside: dials them or asks their health path until core/health.py takes them back.

One task per worker, which runs only while something is set aside; a bounded number of probes at once. A connection that
a probe has made goes into the pool.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from kernel.tasks import spawn
from router.core import health
from router.core.balance import Endpoint
from router.core.errors import Refused

if TYPE_CHECKING:
    from router.edge.context import Edge

_LOOK_S: Final = 0.05
_MOST_AT_ONCE: Final = 16
_ANSWER_S: Final = 3.0
_MOST_HEAD: Final = 4096


class Prober:
    """The endpoints of a worker that are set aside."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._aside: dict[Endpoint, tuple[bytes, bytes]] = {}
        self._busy: dict[Endpoint, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self, endpoint: Endpoint, path: bytes, host: bytes) -> None:
        """An endpoint was set aside.

        Args:
            path: its release's health path, or b"".
            host: what to send as Host with it; that of the request that failed.
        """
        self._aside[endpoint] = (path, host)
        if self._task is None or self._task.done():
            self._task = spawn(self._run(), "router.prober")

    def endpoints(self) -> list[Endpoint]:
        """Those that are set aside, as they are at the call."""
        return list(self._aside)

    def aside(self) -> int:
        """How many endpoints are set aside."""
        return sum(not e.gone for e in self._aside)

    def close(self) -> None:
        """Probes no more."""
        for task in (self._task, *self._busy.values()):
            if task is not None:
                task.cancel()
        self._aside.clear()

    async def _run(self) -> None:
        while self._aside:
            now = self._edge.now
            for endpoint in list(self._aside):
                if endpoint.gone or not endpoint.aside_until:
                    del self._aside[endpoint]
                elif endpoint.probe_at <= now and endpoint not in self._busy and len(self._busy) < _MOST_AT_ONCE:
                    self._begin(endpoint, now)
            await asyncio.sleep(_LOOK_S)

    def _begin(self, endpoint: Endpoint, now: float) -> None:
        path, host = self._aside[endpoint]
        within_s = self._edge.settings.connect_s + (_ANSWER_S if path else 0)
        health.probing(endpoint, now, within_s + 1)
        self._busy[endpoint] = spawn(self._probe(endpoint, path, host), "router.probe")

    async def _probe(self, endpoint: Endpoint, path: bytes, host: bytes) -> None:
        edge = self._edge
        try:
            good = await (self._ask(endpoint, path, host) if path else self._dial(endpoint))
        finally:
            del self._busy[endpoint]
        if health.probed(endpoint, good, bool(path), edge.now):
            edge.metrics.readmissions += 1
            edge.guard.lanes.look()

    async def _dial(self, endpoint: Endpoint) -> bool:
        if not self._edge.has_room(endpoint):
            return True  # it is in use
        from router.edge.dial import dial

        self._edge.opened(endpoint)
        try:
            upstream = await dial(self._edge, endpoint)
        except Refused:
            return False
        upstream.give_back()
        return True

    async def _ask(self, endpoint: Endpoint, path: bytes, host: bytes) -> bool:
        from router.edge.dial import connect

        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(self._edge.settings.connect_s + _ANSWER_S):
                sock = await connect(endpoint.address, endpoint.instance)
                reader, writer = await asyncio.open_connection(sock=sock, limit=_MOST_HEAD)
                writer.write(
                    b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: shipoff-probe\r\n"
                    b"Connection: close\r\n\r\n"
                )
                line = await reader.readline()
        except (OSError, TimeoutError, ValueError):
            return False
        finally:
            if writer is not None:
                writer.transport.abort()
        return line[:9] in (b"HTTP/1.1 ", b"HTTP/1.0 ") and line[9:10] in (b"2", b"3")
