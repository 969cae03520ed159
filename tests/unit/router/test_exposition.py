"""What Prometheus sees of several workers."""

from __future__ import annotations

import re

from router.exposition import exposition
from router.metrics import COUNTERS, GAUGES, HISTOGRAMS, Metrics, add, nothing, without_gauges
from router.processes import Usage
from tests.unit.router.requests import ended


def test_numbers_of_workers_add_up() -> None:
    one, other = Metrics(), Metrics()
    for metrics, seconds in ((one, 0.002), (other, 99.0)):
        metrics.answered(ended(seconds), seconds)
        metrics.failed("NO_ROUTE")
        metrics.accepted += 1
    first = one.numbers({"connections": 1, "table_version": 5, "table_age_seconds": 1.0})
    second = other.numbers({"connections": 2, "table_version": 4, "table_age_seconds": 3.0})
    total = add(add(nothing(), first), second)
    assert total["answers"] == {"app 200": 2}
    assert total["gauges"] == {"connections": 3, "table_version": 4, "table_age_seconds": 3.0}
    assert add(without_gauges(first), second)["gauges"] == second["gauges"]
    text = exposition(total, [], {}).decode()
    assert 'router_request_duration_seconds_bucket{le="+Inf"} 2.0' in text
    assert 'router_request_duration_seconds_bucket{le="0.0025"} 1.0' in text
    assert "router_first_byte_seconds_count 2.0" in text
    assert 'router_requests_total{kind="app",status="200"} 2.0' in text
    assert "router_accepted_total 2.0" in text


def test_a_worker_of_another_program_may_count_more_or_less() -> None:
    old, new = Metrics().numbers({}), Metrics().numbers({"connections": 1})
    del old["counters"]["reuses"], old["histograms"]["queue"]
    new["counters"]["reuses"] = 3
    assert add(old, new)["counters"]["reuses"] == 3
    assert add(new, old)["histograms"]["queue"] == [0.0] * 16


def test_names_are_as_prometheus_wants_them() -> None:
    """The rules of `promtool check metrics`: help for all, base units, _total on counters only."""
    usages = [Usage("supervisor", 1.5, 4096, 3), Usage("0", 2.5, 8192, 4)]
    own = {"worker_restarts": ("workers started anew", "why", {"ended": 2})}
    numbers = Metrics().numbers(dict.fromkeys(GAUGES, 1.0))
    text = exposition(numbers, usages, own).decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helped = re.findall(r"^# HELP (\S+) .+$", text, re.MULTILINE)
    assert set(kinds) == set(helped)
    for name, kind in kinds.items():
        assert name.startswith("router_")
        assert name.endswith("_total") == (kind == "counter"), name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert not re.search(r"milliseconds|_ms$|_us$|_kb$|_count$|_sum$|_bucket$", name)
    assert {f"router_{name}_total" for name in COUNTERS} < set(kinds)
    assert {f"router_{name}_seconds" for name in HISTOGRAMS} < set(kinds)
    assert 'router_process_cpu_seconds_total{process="0"} 2.5' in text
    assert 'router_worker_restarts_total{why="ended"} 2.0' in text
    assert "router_workers 1.0" in text


def test_an_answer_without_a_first_byte_of_its_own_takes_nothing_from_the_sum() -> None:
    metrics = Metrics()
    metrics.answered(ended(started=1000.0, first=0.0), 1000.5)
    assert (sum(metrics.first_bytes.counts), metrics.first_bytes.total) == (0, 0.0)
    assert metrics.durations.total == 0.5
