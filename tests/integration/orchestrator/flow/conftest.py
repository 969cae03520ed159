"""The orchestrator's database and Redis, without processes: for the tests of what is decided there."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from kernel import tasks
from kernel.database import Database, migrate
from kernel.objects import ObjectStore, StoreSettings
from kernel.rpc import RpcServer
from kernel.streams import OutboxRelay, connect
from proto.logsink.v1.logsink_pb2_grpc import add_LogsServicer_to_server
from tests.integration.orchestrator.flow.shop import Shop, Sink
from tests.integration.orchestrator.workshop import dismantle


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


@pytest.fixture
async def shop(
    database: Database, redis: Redis, relay: OutboxRelay, store_settings: StoreSettings, scratch: Path
) -> AsyncIterator[Shop]:
    """An orchestrator's running half; whatever it started is gone after the test."""
    server, store = RpcServer("127.0.0.1:0", "t"), ObjectStore(store_settings)
    sink = Sink()  # type: ignore[abstract]  # only what an orchestrator calls
    server.add(add_LogsServicer_to_server, sink)
    port = await server.start()
    shop = Shop(database, redis, store, sink, f"127.0.0.1:{port}", scratch, os.getpid())
    await shop.open()
    yield shop
    await shop.keeper.stop()
    await shop.instances.close()
    await shop.logs.close()
    await dismantle(shop.driver, shop.config)
    await tasks.stop(shop.router)
    await server.stop(0)
    await store.close()
