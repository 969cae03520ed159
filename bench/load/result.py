"""The outcome as figures and JSON (design, section 13), with what an operator must know to believe it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bench.load.run import Outcome
from bench.load.scenario import Goal
from bench.load.tally import Lane
from bench.report import Figure, content

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)
_LATE_US: Final = 5_000
_BUSY: Final = 0.85


def figures(outcome: Outcome) -> list[Figure]:
    """Of all requests, then of each kind; gaps of streams are a kind, but no requests."""
    tally, seconds = outcome.tally, outcome.scenario.seconds
    kinds = {one.name for one in outcome.scenario.request}
    total = whole(outcome)
    made = [Figure.of("all / arrivals per second", [total.due / seconds], "1/s")]
    made += _lane("all", total, seconds, outcome.scenario.goal)
    for name in tally.names():
        if len(kinds) > 1 or name not in kinds:
            made += _lane(name, tally.total(name), seconds, Goal())
    made.append(Figure.of("client / late, p99", [tally.late.percentile(99) / 1000], "ms"))
    made.append(Figure.of("client / CPU of each process", [100 * busy(outcome)], "%"))
    made.append(Figure.of("client / connections made", [float(tally.connections)], ""))
    made.append(Figure.of("client / retries on closed connections", [float(tally.retries)], ""))
    return made


def whole(outcome: Outcome) -> Lane:
    """The sum of all kinds of requests."""
    total = Lane()
    for one in outcome.scenario.request:
        total.merge(outcome.tally.total(one.name))
    return total


def busy(outcome: Outcome) -> float:
    """The part of a core that each client process used."""
    return outcome.tally.cpu_s / outcome.processes / max(0.001, outcome.seconds)


def warnings(outcome: Outcome) -> list[str]:
    """Why the figures may not be the server's."""
    return list(_warnings(outcome))


def _warnings(outcome: Outcome) -> Iterator[str]:
    tally, errors = outcome.tally, whole(outcome).errors
    if outcome.stopped:
        yield "The run was ended before its time."
    if tally.late.percentile(99) > _LATE_US:
        yield (
            f"The client itself was late: {tally.late.percentile(99) / 1000:.1f} ms at the 99th percentile. Give it "
            "more CPU or processes, or lower the rate; the latencies contain this."
        )
    if busy(outcome) > _BUSY:
        yield f"Each client process used {busy(outcome):.0%} of a core: it may be the limit. Use more of them."
    if any(kind.endswith("in the client") for kind in errors):
        yield "Arrivals found no room in the client. Allow more connections, or take it as what it is: an overload."
    for one in outcome.hooks:
        if one.status not in (0, None):
            lines = one.said.strip().splitlines() or ["it said nothing"]
            yield f"The hook {one.name} at {one.began_s:.1f} s ended with {one.status}: {lines[-1][:200]}"


def document(outcome: Outcome) -> dict[str, Any]:
    """The JSON: figures, and everything that the report is drawn from."""
    tally = outcome.tally
    return content(
        figures(outcome),
        scenario=outcome.scenario.model_dump(mode="json"),
        target=outcome.target.url,
        began_at=outcome.began_at,
        seconds=outcome.seconds,
        processes=outcome.processes,
        seed=outcome.seed,
        warnings=warnings(outcome),
        errors=whole(outcome).errors,
        hooks=[
            {"name": one.name, "began_s": one.began_s, "ended_s": one.ended_s, "status": one.status, "said": one.said}
            for one in outcome.hooks
        ],
        slices=[
            {"begin_s": number * outcome.scenario.slice_s, **{name: _json(lane) for name, lane in lanes.items()}}
            for number, lanes in sorted(tally.slices.items())
        ],
        histograms={name: [list(step) for step in tally.total(name).latency.steps()] for name in tally.names()},
    )


def _lane(label: str, lane: Lane, seconds: float, goal: Goal) -> Iterator[Figure]:
    done = lane.good + lane.failed
    yield Figure.of(f"{label} / good answers per second", [lane.good / seconds], "1/s")
    failed = 100 * lane.failed / done if done else 0.0
    yield Figure.of(f"{label} / errors", [failed], "%", at_most=goal.errors_percent)
    for percent in PERCENTILES:
        most = {50.0: goal.p50_ms, 99.0: goal.p99_ms, 99.9: goal.p999_ms}.get(percent)
        yield Figure.of(f"{label} / p{percent:g}", [lane.latency.percentile(percent) / 1000], "ms", at_most=most)
    yield Figure.of(f"{label} / max", [lane.latency.largest / 1000], "ms")


def _json(lane: Lane) -> dict[str, Any]:
    latency = {f"p{percent:g}_us": lane.latency.percentile(percent) for percent in PERCENTILES}
    return {"due": lane.due, "good": lane.good, "errors": lane.errors, "max_us": lane.latency.largest, **latency}
