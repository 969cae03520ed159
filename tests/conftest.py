"""The real servers that tests use: started when the first test asks, once per session, and gone with pytest.

Each can be an existing one instead: SHIPOFF_TEST_POSTGRES_URL (a superuser's), SHIPOFF_TEST_REDIS_URL (it is flushed
before every test that asks for it), and SHIPOFF_TEST_S3_ENDPOINT, _ACCESS_KEY, _SECRET_KEY, _BUCKET, _REGION.

The servers' event loop lives in a thread of its own, so that sync and async tests may ask alike; the kernel ends a
server when the thread that forked it is gone (PR_SET_PDEATHSIG), which is when pytest is.
"""

# environ: gRPC reads its setting when it is first imported, by whichever test comes first.
from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from kernel.objects import ObjectStore, StoreSettings
from kernel.settings import Settings
from kernel.streams import connect
from stack.process import Process
from stack.servers.postgres import Postgres
from stack.servers.seaweed import S3Address, Seaweed
from stack.servers.valkey import Valkey
from stack.unit import Unit, launch

# Else gRPC starts its threads anew in every forked child, and one with threads can't enter a user namespace, as a
# Postgres that root starts has to.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
T = TypeVar("T")
MakeDatabase = Callable[[], str]


class ExistingServers(Settings):
    """Servers to use instead of our own; empty: ours."""

    test_postgres_url: str = ""
    test_redis_url: str = ""
    test_s3_endpoint: str = ""
    test_s3_access_key: str = ""
    test_s3_secret_key: str = ""
    test_s3_bucket: str = "shipoff-tests"
    test_s3_region: str = "us-east-1"


class Servers:
    """Runs coroutines on the servers' own loop, and remembers what was started."""

    def __init__(self) -> None:
        self.existing = ExistingServers.from_process("")
        self.directory = Path(tempfile.mkdtemp(prefix="shipoff-tests-"))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-servers", daemon=True)
        self._thread.start()
        self._running: list[tuple[Unit, Process]] = []
        self._log = (self.directory / "servers.log").open("wb")

    def run(self, work: Coroutine[Any, Any, T], within_s: float = 90.0) -> T:
        """Runs a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)

    def start(self, unit: Unit) -> None:
        """Starts a server and waits until it is ready."""
        self._running.append((unit, self.run(launch(unit, self._log.fileno()))))

    def close(self) -> None:
        """Stops everything and removes the directory."""
        for unit, process in reversed(self._running):
            process.send(unit.command().death_signal)  # at once: nothing of it is kept, so nothing need be written back
            self.run(process.wait())
            unit.cleanup()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """What the fixtures below start their servers with."""
    running = Servers()
    yield running
    running.close()


@pytest.fixture(scope="session")
def postgres_url(servers: Servers) -> str:
    """A superuser's URL of a Postgres server."""
    if servers.existing.test_postgres_url:
        return servers.existing.test_postgres_url
    fast = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100"}
    postgres = Postgres(servers.directory / "postgres", servers.directory / "run", secrets.token_hex(16), fast)
    servers.start(postgres)
    return postgres.url()


@pytest.fixture
def postgres_server(servers: Servers, postgres_url: str) -> Iterator[MakeDatabase]:
    """A function that makes an empty database and returns its URL; all of them are dropped after the test."""
    made: list[str] = []

    def make() -> str:
        name = f"test_{secrets.token_hex(6)}"
        servers.run(_execute(postgres_url, f"create database {name} template template0"))
        made.append(name)
        return urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))

    yield make
    for name in made:
        servers.run(_execute(postgres_url, f"drop database {name} with (force)"))


@pytest.fixture
def database_url(postgres_server: MakeDatabase) -> str:
    """The URL of an empty database of this test's own."""
    return postgres_server()


@pytest.fixture(scope="session")
def redis_server(servers: Servers) -> str:
    """The URL of a Valkey server."""
    if servers.existing.test_redis_url:
        return servers.existing.test_redis_url
    valkey = Valkey(servers.directory / "valkey", servers.directory / "run", secrets.token_hex(16))
    servers.start(valkey)
    return valkey.url


@pytest.fixture
def redis_url(servers: Servers, redis_server: str) -> str:
    """The URL of an empty Valkey server."""
    servers.run(_flush(redis_server))
    return redis_server


@pytest.fixture(scope="session")
def s3_settings(servers: Servers) -> S3Address:
    """An S3 server with an existing bucket; tests share the bucket, so they choose their own keys."""
    if servers.existing.test_s3_endpoint:
        address = S3Address(
            servers.existing.test_s3_endpoint,
            servers.existing.test_s3_access_key,
            servers.existing.test_s3_secret_key,
            servers.existing.test_s3_bucket,
            servers.existing.test_s3_region,
        )
        servers.run(_make_bucket(_store_settings(address)))
        return address
    seaweed = Seaweed(
        servers.directory / "seaweed",
        servers.directory / "run",
        access_key="test",
        secret_key=secrets.token_hex(16),
        signing_key=secrets.token_hex(16),
        bucket="shipoff-tests",
        ports=Seaweed.choose_ports(),
    )
    servers.start(seaweed)
    return seaweed.address


@pytest.fixture(scope="session")
def store_settings(s3_settings: S3Address) -> StoreSettings:
    """The same as settings of kernel/objects.py."""
    return _store_settings(s3_settings)


def _store_settings(address: S3Address) -> StoreSettings:
    return StoreSettings(
        s3_endpoint=address.endpoint,
        s3_access_key=address.access_key,
        s3_secret_key=address.secret_key,
        s3_bucket=address.bucket,
        s3_region=address.region,
    )


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _flush(url: str) -> None:
    client = connect(url)
    try:
        await client.flushall()
    finally:
        await client.aclose()


async def _make_bucket(settings: StoreSettings) -> None:
    store = ObjectStore(settings)
    try:
        await store.ensure_bucket()
    finally:
        await store.close()
