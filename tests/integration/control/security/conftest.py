"""Two tenants that a whole module shares; at the end, how much was tried."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.control.driver import Driver, Plane
from tests.integration.control.security.world import TRIED, Tenant, tenant


def made(plane: Plane) -> Tenant:
    async def make() -> Tenant:
        async with Driver(plane) as driver:
            return await tenant(plane, driver)

    return asyncio.run(make())


@pytest.fixture(scope="module")
def own(plane: Plane) -> Tenant:
    return made(plane)


@pytest.fixture(scope="module")
def theirs(plane: Plane) -> Tenant:
    return made(plane)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TRIED:
        terminalreporter.section("generated security tests")
        for line in TRIED:
            terminalreporter.write_line(line)
