"""From samples to figures: medians over rounds, ratios within a round, goals beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bench.report import Figure
from bench.router_overhead.latency import GENTLE
from bench.router_overhead.measure import Found, Sample
from bench.router_overhead.peers import OURS, PURE
from bench.router_overhead.shapes import GET, SHAPES, Shape

# (shape, peer) -> goal for requests per CPU-second relative to the peer: compiled, pure (issue 3).
AT_LEAST: Final = {
    (GET, "nginx"): (1.2, 0.8),
    (GET, "haproxy"): (1.1, 0.75),
    (GET, "envoy"): (3.0, 2.0),
    (GET, "traefik"): (4.0, 2.5),
    (GET, "caddy"): (5.0, 3.5),
    ("GET 1 KB, browser heads", "nginx"): (1.0, 0.7),
    ("POST 1 KB", "nginx"): (1.0, 0.7),
    ("GET 100 KB", "nginx"): (1.0, 0.7),
    ("TLS keep-alive, GET 1 KB", "nginx"): (1.0, 0.7),
}
PER_GB: Final = (1.0, 1.2)  # of HAProxy's CPU
P99: Final = (1.0, 2.0)  # of nginx's
IDLE_KB: Final = (8.0, 12.0)
_GB: Final = 1e9


def figures(found: Found, rate: int) -> list[Figure]:
    """All of them.

    Args:
        rate: half of the capacity of the slowest of the main proxies, requests per second.
    """
    made = [one for shape in SHAPES for one in _of_shape(found, shape)]
    made += [*_latency(found, GENTLE, None), *(_latency(found, rate, P99) if rate else [])]
    return made + list(_memory(found))


def _of_shape(found: Found, shape: Shape) -> Iterator[Figure]:
    names = [peer for name, peer in found.samples if name == shape.name]
    for peer in names:
        cpu = found.cpu_us(shape.name, peer)
        label = f"{shape.name} / {peer}"
        if shape.per_gb:
            yield Figure.of(f"{label} / CPU per GB", [us / 1e6 * _GB / shape.body for us in cpu], "s")
        else:
            yield Figure.of(f"{label} / CPU per {shape.unit}", cpu, "µs")
            yield Figure.of(f"{label} / {shape.unit}s per CPU-second", [1e6 / us for us in cpu], "1/s")
        rate = [one.counted.requests / one.counted.seconds for one in found.samples[shape.name, peer]]
        yield Figure.of(f"{label} / {shape.unit}s per second", rate, "1/s")
        yield Figure.of(f"{label} / in the kernel", [_kernel(found.samples[shape.name, peer])], "%")
    for column, own in enumerate((OURS, PURE)):
        if own in names:
            for peer in names:
                if peer not in (OURS, PURE):
                    yield _ratio(found, shape, own, peer, column)


def _kernel(samples: Sequence[Sample]) -> float:
    """Its share of the CPU time in percent, over all rounds: a tick is too coarse for one."""
    user, kernel = (sum(one.ticks[mode] for one in samples) for mode in (0, 1))
    return 100 * kernel / max(1, user + kernel)


def _ratio(found: Found, shape: Shape, own: str, peer: str, column: int) -> Figure:
    """Round by round, so that what slows the machine down slows both."""
    pairs = list(zip(found.cpu_us(shape.name, own), found.cpu_us(shape.name, peer), strict=False))
    if shape.per_gb:
        goal = PER_GB[column] if peer == "haproxy" else None
        name = f"{shape.name} / {own} / CPU per GB relative to {peer}"
        return Figure.of(name, [ours / theirs for ours, theirs in pairs], "x", at_most=goal)
    goals = AT_LEAST.get((shape.name, peer))
    name = f"{shape.name} / {own} / {shape.unit}s per CPU-second relative to {peer}"
    return Figure.of(name, [theirs / ours for ours, theirs in pairs], "x", at_least=goals[column] if goals else None)


def _latency(found: Found, rate: int, goals: Sequence[float] | None) -> Iterator[Figure]:
    names = [name for own, name in found.rates if own == rate]
    for name in names:
        runs = found.rates[rate, name]
        label = f"fixed rate {rate}/s / {name}"
        yield Figure.of(f"{label} / p50", [one.p50_us for one in runs], "µs")
        yield Figure.of(f"{label} / p99", [one.p99_us for one in runs], "µs")
        yield Figure.of(f"{label} / errors", [float(one.errors) for one in runs], "")
    for column, own in enumerate((OURS, PURE)):
        if own in names and "nginx" in names:
            pairs = zip(found.rates[rate, own], found.rates[rate, "nginx"], strict=False)
            ratios = [ours.p99_us / max(1.0, theirs.p99_us) for ours, theirs in pairs]
            name = f"fixed rate {rate}/s / {own} / p99 relative to nginx"
            yield Figure.of(name, ratios, "x", at_most=goals[column] if goals else None)


def _memory(found: Found) -> Iterator[Figure]:
    for name, (memory, each) in found.memory.items():
        yield Figure.of(f"memory / {name} / RSS after first requests", [memory.rss / 1024], "MB")
        yield Figure.of(f"memory / {name} / PSS after first requests", [memory.pss / 1024], "MB")
        goal = {OURS: IDLE_KB[0], PURE: IDLE_KB[1]}.get(name)
        yield Figure.of(f"memory / {name} / {found.idle} idle connections, each", [each], "KB", at_most=goal)
