"""Runs a scenario: client processes, hooks underneath, counts gathered as they come. Always ends."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from bench.load import client
from bench.load.hooks import Hooks, Run
from bench.load.scenario import Refused, Scenario
from bench.load.tally import Tally
from bench.load.target import Target

_READY_S: Final = 60.0
_BEGIN_S: Final = 0.2
_TICK_S: Final = 0.25
_SPARE_S: Final = 15.0
_CONTEXT: Final = multiprocessing.get_context("spawn")


@dataclass(slots=True)
class Outcome:
    """What a run gave.

    Attributes:
        seconds: from the begin to the last answer.
        stopped: it was ended before its time.
    """

    scenario: Scenario
    target: Target
    processes: int
    seed: int
    tally: Tally = field(default_factory=Tally)
    hooks: list[Run] = field(default_factory=list)
    seconds: float = 0.0
    began_at: float = 0.0
    stopped: bool = False


Watch = Callable[[Outcome, list[str]], None]


def processes(scenario: Scenario) -> int:
    """As many as there are CPUs for, half of those that this process may use: the server needs some too."""
    return max(1, min(len(os.sched_getaffinity(0)) // 2, scenario.connections))


def run(
    scenario: Scenario, target: Target, *, count: int = 0, seed: int = 1, host: str = "", watch: Watch | None = None
) -> Outcome:
    """Runs it to its end, or until SIGINT, which ends it early and keeps what was counted.

    Args:
        count: client processes, 0 for `processes()`.
        watch: hears of progress several times a second, with what hooks said.

    Raises:
        Refused: a client process could not begin.
    """
    outcome = Outcome(scenario, target, count or processes(scenario), seed)
    clients = [
        _Client(client.Part(scenario, target, number, outcome.processes, seed)) for number in range(outcome.processes)
    ]
    hooks = Hooks(scenario.hook, target, host)
    begin = time.monotonic()
    try:
        begin = _begin(clients)
        outcome.began_at = time.time() - (time.monotonic() - begin)
        _gather(outcome, clients, hooks, begin, watch)
    except KeyboardInterrupt:
        outcome.stopped = True
    finally:
        for one in clients:
            one.stop()
        outcome.seconds = time.monotonic() - begin
        hooks.close(outcome.seconds)
        outcome.hooks = hooks.runs
    return outcome


class _Client:
    """A client process, seen from the parent."""

    def __init__(self, part: client.Part) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=client.main, args=(part, theirs), name=f"load-{part.number}", daemon=True
        )
        self._process.start()
        theirs.close()

    def stop(self) -> None:
        self.pipe.close()
        self._process.join(1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _begin(clients: list[_Client]) -> float:
    """Waits until all are ready; gives them, and returns, the time to begin."""
    give_up = time.monotonic() + _READY_S
    try:
        for one in clients:
            if not one.pipe.poll(max(0.0, give_up - time.monotonic())):
                raise Refused("a client process did not get ready")
            one.pipe.recv()
    except EOFError:
        raise Refused("a client process ended before it began; its error is above") from None
    begin = time.monotonic_ns() + int(_BEGIN_S * 1e9)
    for one in clients:
        one.pipe.send(begin)
    return begin / 1e9


def _gather(outcome: Outcome, clients: list[_Client], hooks: Hooks, begin: float, watch: Watch | None) -> None:
    scenario = outcome.scenario
    open_ = {one.pipe: one for one in clients}
    give_up = begin + scenario.seconds + scenario.timeout_s + _SPARE_S
    while open_ and time.monotonic() < give_up:
        for pipe in wait(list(open_), _TICK_S):
            if (tally := _received(pipe)) is None:
                del open_[pipe]  # type: ignore[arg-type]
            else:
                outcome.tally.merge(tally)
        outcome.seconds = time.monotonic() - begin
        said = hooks.poll(outcome.seconds) if outcome.seconds < scenario.seconds else []
        if watch is not None:
            watch(outcome, said)
    outcome.stopped = bool(open_)


def _received(pipe: Any) -> Tally | None:
    assert isinstance(pipe, Connection)
    try:
        tally: Tally | None = pipe.recv()
        return tally
    except EOFError:
        return None
