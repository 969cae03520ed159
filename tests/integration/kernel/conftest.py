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
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose()
