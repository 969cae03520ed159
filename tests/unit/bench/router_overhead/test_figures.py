"""From samples to ratios and goals."""

from __future__ import annotations

from bench.report import Figure
from bench.router_overhead.figures import figures
from bench.router_overhead.latency import Latency
from bench.router_overhead.load import Counted
from bench.router_overhead.measure import Found, Sample


def sample(cpu_us: float, requests: int = 1000) -> Sample:
    return Sample(int(cpu_us * 1000 * requests), Counted(requests, 1.0, 0, 0, 0, 0), (3, 7))


def named(found: Found, rate: int = 0) -> dict[str, Figure]:
    return {one.name: one for one in figures(found, rate)}


def test_ratios_are_formed_within_rounds() -> None:
    found = Found()
    found.samples["GET 1 KB", "ours pure"] = [sample(20), sample(40), sample(30)]
    found.samples["GET 1 KB", "nginx"] = [sample(10), sample(20), sample(45)]
    ratio = named(found)["GET 1 KB / ours pure / requests per CPU-second relative to nginx"]
    assert (ratio.value, ratio.goal, ratio.met) == (0.5, 0.8, False)


def test_the_two_forms_have_goals_of_their_own() -> None:
    found = Found()
    for name, cost in (("ours", 9.0), ("ours pure", 11.0), ("nginx", 10.0)):
        found.samples["POST 1 KB", name] = [sample(cost)]
    made = named(found)
    assert made["POST 1 KB / ours / requests per CPU-second relative to nginx"].goal == 1.0
    assert made["POST 1 KB / ours pure / requests per CPU-second relative to nginx"].goal == 0.7
    assert made["POST 1 KB / ours / in the kernel"].value == 70


def test_large_bodies_count_by_the_gigabyte_and_less_is_better() -> None:
    found = Found()
    found.samples["10 MB up", "ours pure"] = [sample(10_000, 10)]
    found.samples["10 MB up", "haproxy"] = [sample(8_000, 10)]
    made = named(found)
    assert round(made["10 MB up / ours pure / CPU per GB"].value, 3) == 0.954
    ratio = made["10 MB up / ours pure / CPU per GB relative to haproxy"]
    assert (ratio.value, ratio.goal, ratio.met) == (1.25, 1.2, False)


def test_latency_has_its_goal_at_half_of_the_capacity_only() -> None:
    found = Found()
    for rate in (3000, 8000):
        found.rates[rate, "ours"] = [Latency(100, 900, 50, 10, 0)]
        found.rates[rate, "nginx"] = [Latency(100, 1000, 50, 10, 0)]
    made = named(found, 8000)
    assert made["fixed rate 8000/s / ours / p99 relative to nginx"].met
    assert made["fixed rate 3000/s / ours / p99 relative to nginx"].goal is None
