"""How long answers take at a rate that does not wait for them: bench/load's open loop, from the intended start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.load.run import run
from bench.load.scenario import Request, Scenario, StageSpec
from bench.load.target import Target

GENTLE: Final = 3_000
HIGHEST: Final = 12_000  # what the client can do beside the app on one core without being late itself
_CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one run.

    Attributes:
        late_us: how late the client itself was, 99th percentile.
        errors: requests without a good answer.
    """

    p50_us: float
    p99_us: float
    late_us: float
    requests: int
    errors: int


def at_rate(port: int, rate: float, seconds: float, seed: int = 1) -> Latency:
    """Poisson arrivals of GET 1 KB on 64 connections, from this process's core."""
    request = Request(
        name="page",
        path="/articles/{n}",
        host="site{n}.test",
        headers={"Accept": "*/*", "Accept-Encoding": "gzip, br", "Cookie": "session={n}{n}{n}{n}; theme=light"},
    )
    stage = StageSpec(seconds=seconds, rate=rate)
    scenario = Scenario(title="fixed rate", stage=(stage,), request=(request,), connections=_CONNECTIONS)
    outcome = run(scenario, Target("127.0.0.1", port, "localhost"), count=1, seed=seed)
    total, late = outcome.tally.total(), outcome.tally.late
    return Latency(
        total.latency.percentile(50),
        total.latency.percentile(99),
        late.percentile(99),
        total.due,
        total.failed,
    )
