"""Every kind of driver is put to every test of this folder."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.driver.bench import Bench
from tests.contract.driver.rigs import RIGS


@pytest.fixture(params=list(RIGS))
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """An open driver; whatever it started is gone after the test."""
    async with RIGS[request.param]() as rig:
        yield Bench(rig, await rig.driver())
