"""The workers' added-up numbers in Prometheus' form."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from router.metrics import BUCKETS, COUNTERS, GAUGES, Numbers


def exposition(numbers: Numbers, workers: int) -> bytes:
    """The text that Prometheus scrapes.

    Args:
        numbers: the sum over all workers.
        workers: how many of them answered.
    """
    registry = CollectorRegistry()
    registry.register(RouterCollector(numbers, workers))
    return generate_latest(registry)


class RouterCollector:
    """Presents added-up numbers to prometheus-client."""

    def __init__(self, numbers: Numbers, workers: int) -> None:
        self._numbers = numbers
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        """All families."""
        numbers = self._numbers
        yield GaugeMetricFamily("router_workers", "workers that answer", value=self._workers)
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(f"router_{name}", text, value=numbers["counters"][name])
        for name, text in GAUGES.items():
            if name in numbers["gauges"]:
                yield GaugeMetricFamily(f"router_{name}", text, value=numbers["gauges"][name])
        requests = CounterMetricFamily("router_requests", "requests answered", labels=["status"])
        for status, count in numbers["statuses"].items():
            requests.add_metric([status], count)
        yield requests
        errors = CounterMetricFamily("router_errors", "answers of the router's own", labels=["code"])
        for code, count in numbers["errors"].items():
            errors.add_metric([code], count)
        yield errors
        yield self._histogram()

    def _histogram(self) -> HistogramMetricFamily:
        buckets, total = [], 0
        for bound, count in zip([*map(str, BUCKETS), "+Inf"], self._numbers["durations"], strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(
            "router_request_duration_seconds", "head to last byte", buckets=buckets, sum_value=self._numbers["seconds"]
        )
