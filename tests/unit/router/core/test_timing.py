"""The Server-Timing header."""

from __future__ import annotations

import pytest

from router.core import timing


@pytest.mark.parametrize(
    ("total", "queued", "connecting", "shown"),
    [
        (0.0, 0.0, 0.0, b"total;dur=0.0, up;dur=0.0"),
        (0.01234, 0.0, 0.0, b"total;dur=12.3, up;dur=12.3"),
        (0.0998, 0.0, 0.0, b"total;dur=99.8, up;dur=99.8"),
        (0.09999, 0.0, 0.0, b"total;dur=100.0, up;dur=100.0"),
        (12.5, 0.0, 0.0, b"total;dur=12500.0, up;dur=12500.0"),
        (0.5, 0.2, 0.1, b"total;dur=500.0, up;dur=200.0, queue;dur=200.0, connect;dur=100.0"),
        (0.1, 0.0, 0.2, b"total;dur=100.0, up;dur=0.0, connect;dur=200.0"),
    ],
)
def test_an_answer_of_the_app(total: float, queued: float, connecting: float, shown: bytes) -> None:
    assert timing.proxied(total, queued, connecting) == b"Server-Timing: " + shown + b"\r\n"


def test_an_app_that_had_to_be_woken() -> None:
    shown = b"Server-Timing: total;dur=500.0, up;dur=200.0, cold;dur=300.0\r\n"
    assert timing.proxied(0.5, 0.3, 0.0, True) == shown


def test_an_answer_of_the_routers_own() -> None:
    assert timing.own(0.0005) == b"Server-Timing: total;dur=0.5\r\n"
    assert timing.own(2.0) == b"Server-Timing: total;dur=2000.0\r\n"
