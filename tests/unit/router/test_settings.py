"""Settings."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
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
