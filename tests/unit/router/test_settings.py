"""Settings and the sums of metrics."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from router.exposition import exposition
from router.metrics import Metrics, add, nothing, without_gauges
from router.settings import RouterSettings, host_port


def test_settings_come_from_the_environment() -> None:
    settings = RouterSettings.load("router", {"SHIPOFF_ROUTER_WORKERS": "3", "SHIPOFF_REDIS_URL": "redis://x"})
    assert (settings.worker_count(), settings.redis_url) == (3, "redis://x")
    assert RouterSettings.load("router", {}).worker_count() >= 1


@pytest.mark.parametrize("name", ["LISTEN", "ADMIN", "TRUSTED", "WORKERS", "HEAD_S"])
def test_a_wrong_setting_is_named(name: str) -> None:
    with pytest.raises(ShipoffError, match=f"SHIPOFF_ROUTER_{name}"):
        RouterSettings.load("router", {f"SHIPOFF_ROUTER_{name}": "-1 nonsense"})


def test_addresses() -> None:
    assert host_port("127.0.0.1:80") == ("127.0.0.1", 80)
    assert host_port("[::1]:80") == ("::1", 80)
    with pytest.raises(ValueError, match="host:port"):
        host_port("80")


def test_a_secret_is_not_shown() -> None:
    assert "hidden" not in repr(RouterSettings(s3_secret_key="hidden"))


def test_numbers_of_workers_add_up() -> None:
    one, other = Metrics(), Metrics()
    for metrics, seconds in ((one, 0.002), (other, 99.0)):
        metrics.answered(200, seconds)
        metrics.failed("NO_ROUTE")
        metrics.accepted += 1
    first = one.numbers({"connections": 1, "table_version": 5, "table_age_seconds": 1.0})
    second = other.numbers({"connections": 2, "table_version": 4, "table_age_seconds": 3.0})
    total = add(add(nothing(), first), second)
    assert total["statuses"] == {"200": 2}
    assert total["gauges"] == {"connections": 3, "table_version": 4, "table_age_seconds": 3.0}
    left = add(without_gauges(first), second)
    assert left["gauges"] == second["gauges"]
    text = exposition(total, 2).decode()
    assert 'router_request_duration_seconds_bucket{le="+Inf"} 2.0' in text
    assert "router_accepted_total 2.0" in text
