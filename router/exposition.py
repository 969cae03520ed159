"""The workers' added-up numbers in Prometheus' form (https://prometheus.io/docs/practices/naming/)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from router.metrics import COUNTERS, GAUGES, HISTOGRAMS, SECONDS, Numbers
from router.processes import Usage

# Counters of the supervisor's own: name -> (help, label).
Own = dict[str, tuple[str, str, dict[str, int]]]


def exposition(numbers: Numbers, processes: Sequence[Usage], own: Own) -> bytes:
    """The text that Prometheus scrapes.

    Args:
        numbers: the sum over all workers.
        processes: what the supervisor and each worker that runs take.
        own: what the supervisor counts itself, by name: help, label, counts by the label's value.
    """
    registry = CollectorRegistry()
    registry.register(RouterCollector(numbers, processes, own))
    return generate_latest(registry)


class RouterCollector:
    """Presents added-up numbers to prometheus-client."""

    def __init__(self, numbers: Numbers, processes: Sequence[Usage], own: Own) -> None:
        self._numbers = numbers
        self._processes = processes
        self._own = own

    def collect(self) -> Iterable[Metric]:
        """All families."""
        yield from self._plain()
        yield from self._answers()
        for name, text in HISTOGRAMS.items():
            yield _histogram(name, text, self._numbers["histograms"][name])
        yield from self._usage()
        for name, (text, label, counts) in self._own.items():
            family = CounterMetricFamily(f"router_{name}", text, labels=[label])
            for value, count in counts.items():
                family.add_metric([value], count)
            yield family

    def _plain(self) -> Iterable[Metric]:
        numbers = self._numbers
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(f"router_{name}", text, value=numbers["counters"].get(name, 0))
        for name, text in GAUGES.items():
            if name in numbers["gauges"]:
                yield GaugeMetricFamily(f"router_{name}", text, value=numbers["gauges"][name])

    def _answers(self) -> Iterable[Metric]:
        answers = CounterMetricFamily("router_requests", "requests answered", labels=["kind", "status"])
        for named, count in self._numbers["answers"].items():
            answers.add_metric(named.split(" "), count)
        yield answers
        errors = CounterMetricFamily("router_errors", "answers of the router's own", labels=["code"])
        for code, count in self._numbers["errors"].items():
            errors.add_metric([code], count)
        yield errors

    def _usage(self) -> Iterable[Metric]:
        cpu = CounterMetricFamily("router_process_cpu_seconds", "CPU time, user and system", labels=["process"])
        memory = GaugeMetricFamily("router_process_resident_memory_bytes", "memory in RAM", labels=["process"])
        files = GaugeMetricFamily("router_process_open_fds", "open descriptors", labels=["process"])
        for usage in self._processes:
            cpu.add_metric([usage.name], usage.cpu_s)
            memory.add_metric([usage.name], usage.resident)
            files.add_metric([usage.name], usage.descriptors)
        yield from (cpu, memory, files)
        workers = sum(1 for usage in self._processes if usage.name != "supervisor")
        yield GaugeMetricFamily("router_workers", "workers that run", value=workers)


def _histogram(name: str, text: str, counted: Sequence[float]) -> HistogramMetricFamily:
    buckets, total = [], 0.0
    for bound, count in zip([*map(str, SECONDS), "+Inf"], counted, strict=False):  # the sum stands last
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(f"router_{name}_seconds", text, buckets=buckets, sum_value=counted[-1])
