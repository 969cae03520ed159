"""Further gateways on the same plane, with settings of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.ports import free_ports
from tests.integration.control.driver import Plane
from tests.integration.control.processes import running

DASHBOARD = "https://dashboard.example.org"


@dataclass(frozen=True)
class Gateway:
    """A gateway of its own."""

    url: str
    admin: str
    plane: Plane

    @property
    def headers(self) -> dict[str, str]:
        """Of the owner."""
        return {"Authorization": f"Bearer {self.plane.token}"}


Start = Callable[..., Gateway]


@pytest.fixture
def start(plane: Plane) -> Iterator[Start]:
    """Starts gateways with settings (lower-case names), which end with the test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(_gateway(plane, settings))


@contextmanager
def _gateway(plane: Plane, settings: dict[str, object]) -> Iterator[Gateway]:
    with tempfile.TemporaryDirectory(prefix="shipoff-gateway-test-") as folder:
        listen, admin = free_ports(2)
        given = {
            "listen": f"127.0.0.1:{listen}",
            "admin": f"127.0.0.1:{admin}",
            "repos_dir": f"{folder}/repos",
            "run_dir": f"{folder}/run",
            "public_url": f"http://127.0.0.1:{listen}",
            **settings,
        }
        named = {f"SHIPOFF_GATEWAY_{name.upper()}": str(value) for name, value in given.items()}
        with running(("gateway",), {**plane.environment, **named}, Path(folder)):
            yield Gateway(f"http://127.0.0.1:{listen}", f"http://127.0.0.1:{admin}", plane)
