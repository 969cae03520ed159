"""The orchestrator's database and Redis, without processes: for the tests of what is decided there."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from kernel.database import Database, migrate
from kernel.streams import OutboxRelay, connect


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


@pytest.fixture
async def relay(database: Database, redis: Redis) -> AsyncIterator[OutboxRelay]:
    relay = OutboxRelay(database, redis)
    relay.start()
    yield relay
    await relay.stop()
