"""How many requests one client process can send and read in a second, so that nobody takes its limit for a server's."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import uvloop

from bench.load import demo
from bench.load.connection import Exchange
from bench.load.payload import payloads
from bench.load.pool import Pool
from bench.load.recorder import Recorder
from bench.load.scenario import Request
from bench.load.target import Target
from bench.report import Figure

_CONNECTIONS: Final = 64


class _Closed(Pool):
    """A closed loop: each answer sends the next request."""

    def __init__(self, target: Target, recorder: Recorder) -> None:
        super().__init__(target, recorder, _CONNECTIONS, _CONNECTIONS, int(10e9))
        self._payloads = payloads(Request(name="page", path="/{n}"), target)
        self._sent = 0

    def more(self) -> None:
        """Sends one."""
        self._sent += 1
        payload = self._payloads[self._sent % len(self._payloads)]
        self.submit(Exchange("page", time.monotonic_ns(), payload, (200,), True, False))

    def answered(self, exchange: Exchange, status: int, size: int) -> None:
        super().answered(exchange, status, size)
        self.more()


async def _run(target: Target, seconds: float) -> tuple[float, float]:
    recorder = Recorder(1.0)
    recorder.start(time.monotonic_ns())
    pool = _Closed(target, recorder)
    began, cpu = time.monotonic(), time.process_time()
    for _ in range(_CONNECTIONS):
        pool.more()
    await asyncio.sleep(seconds)
    good = recorder.tally.total().good
    took, used = time.monotonic() - began, time.process_time() - cpu
    pool.close()
    return good / took, good / used


def figures(rounds: int = 3, seconds: float = 2.0) -> list[Figure]:
    """Requests per second of one process against the demo app, and per second of its CPU.

    Raises:
        Refused: the demo app does not start.
    """
    with demo.running() as port:
        target = Target("127.0.0.1", port, "localhost")
        seen = [uvloop.run(_run(target, seconds)) for _ in range(rounds)]
    return [
        Figure.of("client / ceiling, requests per second of one process as seen", [one[0] for one in seen], "1/s"),
        Figure.of("client / ceiling, requests per second of its CPU", [one[1] for one in seen], "1/s"),
    ]
