"""Several workers, as processes: the work goes on when one is killed, and one that was paused has no effect."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernel.database import Database
from kernel.events import DeploymentRequested, Envelope
from orchestrator.consumer import Intake
from orchestrator.routes import RouteTable

ROOT = Path(__file__).parents[4]
LEASE_S = 1.0


@pytest.fixture
async def journal(database: Database) -> Database:
    """Where workers write, and a deployment for them to work on."""
    await database.execute("create table written (at bigserial, name text, token bigint)")
    event = DeploymentRequested("dep_1", "prj_1", "production", ordinal=1)
    await Intake(database, RouteTable(), 10).handle(Envelope(event, key="prj_1/production"))
    return database


@contextmanager
def worker(url: str, name: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.integration.orchestrator.flow.a_worker", url, name, str(LEASE_S)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def writes(journal: Database, name: str) -> None:
    """Waits until the last that was written is this worker's."""
    async with asyncio.timeout(30):
        while await journal.fetchval("select name from written order by at desc limit 1") != name:
            await asyncio.sleep(0.02)


async def tokens(journal: Database) -> list[int]:
    return [row["token"] for row in await journal.fetch("select token from written order by at")]


async def test_a_paused_worker_has_no_effect_when_it_wakes(journal: Database, database_url: str) -> None:
    with worker(database_url, "one") as one:
        await writes(journal, "one")
        with worker(database_url, "two") as two:
            for paused, goes_on in ((one, "two"), (two, "one"), (one, "two")):
                paused.send_signal(signal.SIGSTOP)
                await writes(journal, goes_on)
                paused.send_signal(signal.SIGCONT)
                await asyncio.sleep(LEASE_S)
                assert await journal.fetchval("select name from written order by at desc limit 1") == goes_on
            assert one.poll() is None
            assert two.poll() is None
    # Nothing was written under a token after a later one had been used.
    assert await tokens(journal) == sorted(await tokens(journal))


async def test_what_a_killed_worker_had_goes_to_one_that_is_alive(journal: Database, database_url: str) -> None:
    with worker(database_url, "one") as one:
        await writes(journal, "one")
        with worker(database_url, "two"):
            one.kill()
            await writes(journal, "two")


async def test_a_worker_that_is_started_again_goes_on_at_once(journal: Database, database_url: str) -> None:
    with worker(database_url, "one") as one:
        await writes(journal, "one")
        one.kill()
        one.wait()
    # An hour is what the dead one's lease would last yet.
    await journal.execute("update leases set expires_at = clock_timestamp() + interval '1 hour'")
    await journal.execute("delete from written")
    with worker(database_url, "one"):
        await writes(journal, "one")
