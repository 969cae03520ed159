"""A local driver on directories of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.layout import LocalConfig
from tests.integration.orchestrator.workshop import Workshop, dismantle


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory with a short path: unix sockets lie in it."""
    path = Path(tempfile.mkdtemp(prefix="so-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
async def workshop(scratch: Path) -> AsyncIterator[Workshop]:
    """An open driver; whatever it started is gone after the test."""
    config = LocalConfig(scratch / "work", scratch / "run", owner_pid=os.getpid())
    driver = LocalDriver(config)
    await driver.open()
    yield Workshop(driver, config, scratch)
    await dismantle(driver, config)
