"""Takes the samples: rounds in which every proxy gets its turn, in another order each time."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.load.scenario import Refused
from bench.router_overhead import idle
from bench.router_overhead.certificate import Certificate
from bench.router_overhead.latency import Latency, at_rate
from bench.router_overhead.load import Counted
from bench.router_overhead.peers import Peer
from bench.router_overhead.plan import Plan
from bench.router_overhead.processes import Memory
from bench.router_overhead.shapes import GET, SHAPES, Shape

MAIN: Final = ("ours", "ours pure", "nginx", "haproxy")
_TOLERATED: Final = 0.001


@dataclass(frozen=True, slots=True)
class Sample:
    """One proxy under one shape for a second or so.

    Attributes:
        ticks: in user and in kernel mode.
    """

    cpu_ns: int
    counted: Counted
    ticks: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Found:
    """Everything that was measured.

    Attributes:
        samples: (shape, proxy) -> one for each round.
        memory: proxy -> what it has after its first requests, and KB for each idle connection.
        rates: (requests per second, proxy) -> one for each round; the proxy "direct" is the app without any.
        notes: what was left out, and why.
    """

    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    memory: dict[str, tuple[Memory, float]] = field(default_factory=dict)
    rates: dict[tuple[int, str], list[Latency]] = field(default_factory=dict)
    idle: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Says and keeps what was left out."""
        print(f"left out: {text}", file=sys.stderr)
        self.notes.append(text)

    def cpu_us(self, shape: str, peer: str) -> list[float]:
        """CPU per request of each round."""
        return [one.cpu_ns / 1e3 / one.counted.requests for one in self.samples.get((shape, peer), [])]


def shapes(found: Found, running: Sequence[Peer], plan: Plan, only: str) -> None:
    """All shapes that the run has time for."""
    for shape in SHAPES:
        if only not in shape.name:
            continue
        rounds = plan.get_rounds if shape.name == GET else plan.rounds
        some = [one for one in running if (plan.every and not shape.few) or shape.name == GET or one.name in MAIN]
        if plan.left_s() < 0:
            found.note(f"{shape.name}: out of time")
        else:
            _say(f"{shape.name}: {rounds} rounds")
            _rounds(found, shape, some, rounds, plan)


def _rounds(found: Found, shape: Shape, peers: Sequence[Peer], rounds: int, plan: Plan) -> None:
    here = list(peers)
    for peer in here if plan.warm_s else ():
        with contextlib.suppress(OSError, RuntimeError):  # what is wrong is told by the first round
            _sample(shape, peer, plan.warm_s)
    for number in range(rounds):
        for peer in _mixed(here, number):
            try:
                sample = _sample(shape, peer, plan.seconds * shape.stretch)
            except (OSError, RuntimeError) as error:
                here.remove(peer)
                found.samples.pop((shape.name, peer.name), None)
                found.note(f"{shape.name}, {peer.name}: {str(error).strip()[:200]}")
            else:
                found.samples.setdefault((shape.name, peer.name), []).append(sample)


def _sample(shape: Shape, peer: Peer, seconds: float) -> Sample:
    if shape.tls and not peer.tls:
        raise RuntimeError("it has no TLS here")
    ticks, before = peer.ticks(), peer.cpu_ns()
    counted = shape.run(peer, seconds)
    used, after = peer.cpu_ns() - before, peer.ticks()
    peer.trim()
    if not counted.requests or counted.errors > counted.requests * _TOLERATED:
        raise RuntimeError(f"{counted.errors} errors in {counted.requests} requests")
    return Sample(used, counted, (after[0] - ticks[0], after[1] - ticks[1]))


def rates(found: Found, running: Sequence[Peer], app: int, rate: int, rounds: int, plan: Plan) -> None:
    """Latency at a fixed rate, with the app alone as what the measurement itself costs."""
    targets = [("direct", app), *((one.name, one.port) for one in running)]
    _say(f"fixed rate, {rate}/s: {rounds} rounds")
    for number in range(rounds):
        if plan.left_s() < 0:
            found.note(f"fixed rate, {rate}/s, round {number + 1}: out of time")
            return
        for name, port in _mixed(targets, number):
            try:
                seen = at_rate(port, rate, plan.rate_seconds, seed=number + 1)
            except (OSError, Refused) as error:
                targets.remove((name, port))
                found.note(f"fixed rate, {rate}/s, {name}: {error}")
            else:
                found.rates.setdefault((rate, name), []).append(seen)
        for peer in running:
            peer.trim()


def memory(
    found: Found,
    fresh: Callable[[], Sequence[Peer]],
    directory: Path,
    app: int,
    certificate: Certificate,
    plan: Plan,
) -> None:
    """Each proxy once more, alone and just started: its memory, and what idle connections add."""
    found.idle = idle.possible(plan.idle)
    _say(f"{found.idle} idle connections")
    if found.idle < plan.idle:
        found.note(f"idle connections: {found.idle} instead of {plan.idle}, the limit of descriptors allows no more")
    for peer in fresh():
        if not plan.every and peer.name not in MAIN:
            continue
        if plan.left_s() < 0:
            found.note(f"idle connections, {peer.name}: out of time")
            continue
        try:
            peer.start(directory / "idle", app, certificate)
            found.memory[peer.name] = idle.measured(peer, found.idle)
        except (OSError, RuntimeError) as error:
            found.note(f"idle connections, {peer.name}: {str(error).strip()[:200]}")
        finally:
            peer.stop()


def _mixed(items: Sequence[Any], number: int) -> list[Any]:
    """Another order each round, the same in every run: who always follows the same proxy pays for what that leaves in
    the caches, and for what its collector does behind its turn.
    """
    return random.Random(number).sample(items, len(items))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
