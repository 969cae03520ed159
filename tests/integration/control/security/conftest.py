from __future__ import annotations

import pytest

from tests.integration.control.driver import Driver, Plane
from tests.integration.control.security.world import Tenant, tenant


@pytest.fixture
async def own(plane: Plane, driver: Driver) -> Tenant:
    return await tenant(plane, driver)
