"""One client process: its part of the schedule, sent on time whatever the server does."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Final, Protocol

import uvloop

from bench.load.arrivals import times
from bench.load.connection import Exchange
from bench.load.payload import payloads
from bench.load.pool import Pool
from bench.load.pulse import Pulse
from bench.load.recorder import Recorder
from bench.load.scenario import Request, Scenario
from bench.load.sockets import Sockets
from bench.load.streams import Streams
from bench.load.target import Target

_REPORT_S: Final = 0.25
_SWEEP_S: Final = 0.05
_CHOICES: Final = 8192
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True)
class Part:
    """What one process has to do.

    Attributes:
        number: which of the processes, from 0.
        of: how many there are.
    """

    scenario: Scenario
    target: Target
    number: int
    of: int
    seed: int


class Sender(Protocol):
    """Sends one kind of request."""

    def fire(self, intended: int) -> None:
        """Sends one that was meant to start then."""

    def sweep(self) -> None:
        """Ends what is too late."""

    def busy(self) -> int:
        """What is not over."""

    def close(self) -> None:
        """Ends everything."""


class Requests:
    """Plain requests of one kind, over a pool that they share with other kinds."""

    def __init__(self, request: Request, target: Target, pool: Pool, chance: random.Random) -> None:
        self._request = request
        self._payloads = payloads(request, target)
        chance.shuffle(self._payloads)
        self._pool = pool
        self._again = request.method in _SAFE
        self._sent = 0

    def fire(self, intended: int) -> None:
        request = self._request
        self._sent += 1
        payload = self._payloads[self._sent % len(self._payloads)]
        head_only = request.method == "HEAD"
        self._pool.submit(Exchange(request.name, intended, payload, request.expect, self._again, head_only))

    def sweep(self) -> None:
        """The pool's business."""

    def busy(self) -> int:
        return 0

    def close(self) -> None:
        """The pool's business."""


class Client:
    """Drives one part."""

    def __init__(self, part: Part) -> None:
        scenario, self._part = part.scenario, part
        self.recorder = Recorder(scenario.slice_s)
        self._timeout_ns = int(scenario.timeout_s * 1e9)
        share = max(1, scenario.connections // part.of)
        waiting = max(1, scenario.waiting // part.of)
        self._pool = Pool(part.target, self.recorder, share, waiting, self._timeout_ns)
        chance = random.Random(part.seed + part.number)
        self._senders: list[Sender] = [self._sender(one, chance, share) for one in scenario.request]
        self._all: list[Sender | Pool] = [*self._senders, self._pool]
        weights = [one.weight for one in scenario.request]
        order = chance.choices(range(len(weights)), weights, k=_CHOICES)
        self._order = [(scenario.request[number].name, self._senders[number]) for number in order]
        self._fired = 0
        self._next_ns = 0
        self._begin_ns = 0
        self._times = times(
            [one.stage() for one in scenario.stage],
            random_gaps=scenario.pace == "poisson",
            part=part.number,
            of=part.of,
            seed=part.seed,
        )
        self._over = asyncio.Event()

    def _sender(self, request: Request, chance: random.Random, share: int) -> Sender:
        part = self._part
        if request.kind == "websocket":
            count = max(1, request.sockets // part.of)
            return Sockets(request, part.target, self.recorder, count, self._timeout_ns)
        if request.kind == "stream":
            return Streams(request, part.target, self.recorder, share, self._timeout_ns)
        return Requests(request, part.target, self._pool, chance)

    async def prepare(self) -> None:
        """Opens what must be open before the clock runs."""
        for sender in self._senders:
            if isinstance(sender, Sockets):
                await sender.start()

    async def run(self, begin_ns: int, pipe: Pipe) -> None:
        """Sends everything, waits for the answers, and reports counts from time to time."""
        self._begin_ns = begin_ns
        self.recorder.start(begin_ns)
        self._advance()
        pulse = Pulse(self._tick)
        try:
            while not self._over.is_set() or (self._busy() and self._in_time()):
                await asyncio.sleep(_SWEEP_S)
                self._sweep()
                self._report(pipe)
        finally:
            pulse.stop()
            for one in self._all:
                one.close()
        pipe.send(self.recorder.take())
        pipe.send(None)

    def _tick(self) -> None:
        now = time.monotonic_ns()
        if self._next_ns <= now and not self._over.is_set():
            self.recorder.tally.late.add((now - self._next_ns) // 1000)
            while self._next_ns <= now and not self._over.is_set():
                name, sender = self._order[self._fired % _CHOICES]
                self._fired += 1
                self.recorder.due(name, self._next_ns)
                sender.fire(self._next_ns)
                self._advance()

    def _advance(self) -> None:
        offset = next(self._times, None)
        if offset is None:
            self._over.set()
        else:
            self._next_ns = self._begin_ns + int(offset * 1e9)

    def _busy(self) -> bool:
        return any(one.busy() for one in self._all)

    def _in_time(self) -> bool:
        end = self._begin_ns + int(self._part.scenario.seconds * 1e9) + self._timeout_ns
        return time.monotonic_ns() < end + int(1e9)

    def _sweep(self) -> None:
        for one in self._all:
            one.sweep()

    def _report(self, pipe: Pipe) -> None:
        if time.monotonic() >= self.recorder.taken_s + _REPORT_S:
            pipe.send(self.recorder.take())


def main(part: Part, pipe: Pipe) -> None:
    """A client process: says that it is ready, hears when to begin, reports, says None at the end."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def run() -> None:
        client = Client(part)
        await client.prepare()
        pipe.send("ready")
        begin_ns = await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await client.run(begin_ns, pipe)

    try:
        uvloop.run(run())
    except (BrokenPipeError, EOFError, KeyboardInterrupt):
        pass  # the parent is gone or has had enough
