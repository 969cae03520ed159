"""Two tenants that a whole module shares."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.control.driver import Driver, Plane
from tests.integration.control.security.world import Tenant, tenant


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
