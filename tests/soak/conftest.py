"""How long a soak lasts and in which order it does what; the rig and the app are those of the fault tests."""

import pytest

from tests.integration.orchestrator.faults.conftest import app, rig

__all__ = ["app", "rig"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `make soak`."""
    parser.addoption("--minutes", type=float, default=60.0, help="how long (60)")
    parser.addoption("--seed", type=int, default=1, help="of the order of changes and faults (1)")
