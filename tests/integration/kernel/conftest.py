"""A database with the kernel's tables, and a Redis client, for the tests of the streams."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from kernel.database import Database, migrate
from kernel.streams import connect


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url, "orchestrator")
    database = await Database.connect(database_url)
    yield database
    await database.close()


@pytest.fixture
async def redis(redis_server: str) -> AsyncIterator[Redis]:
    """Empty, and apart from the database from which a control plane that other tests started takes events."""
    client = connect(f"{redis_server}{'&' if '?' in redis_server else '?'}db=2")
    await client.flushdb()
    yield client
    await client.aclose()
