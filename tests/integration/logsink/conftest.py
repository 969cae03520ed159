"""A migrated database, the store on it, and the whole service with a client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from kernel.database import Database, migrate
from kernel.rpc import RpcClient
from logsink.lines import Batch, Line, Query
from logsink.service import LogService
from logsink.settings import LogsinkSettings
from logsink.store.postgres import PostgresStore
from proto.logsink.v1.logsink_pb2_grpc import LogsStub

TOKEN = "test-token"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url, "logsink")
    database = await Database.connect(database_url)
    yield database
    await database.close()


@pytest.fixture
def store(db: Database) -> PostgresStore:
    return PostgresStore(db)


@pytest.fixture
def settings(database_url: str, db: Database) -> LogsinkSettings:
    return LogsinkSettings(
        listen="127.0.0.1:0",
        admin="127.0.0.1:0",
        database_url=database_url,
        service_token=TOKEN,
        compact_every_s=0.2,
        settle_s=0.0,
    )


@pytest.fixture
async def service(settings: LogsinkSettings) -> AsyncIterator[LogService]:
    running = await LogService.start(settings)
    yield running
    await running.stop()


@pytest.fixture
async def logs(service: LogService) -> AsyncIterator[Any]:
    client = RpcClient(f"127.0.0.1:{service.port}", TOKEN)
    yield client.stub(LogsStub)
    await client.close()


@dataclass
class Writer:
    """Appends lines straight to a store, each call as one batch."""

    store: PostgresStore
    sequence: int = 0

    async def write(self, *texts: str, project: str = "prj_a", deployment: str = "dep_1", source: str = "run") -> None:
        self.sequence += 1
        lines = [Line(10**18 + i, project, deployment, "ins_1", source, "stdout", text) for i, text in enumerate(texts)]
        await self.store.append([Batch("writer", self.sequence, lines, sum(map(len, texts)))])


@pytest.fixture
def writer(store: PostgresStore) -> Writer:
    return Writer(store)


async def read(store: PostgresStore, query: Query) -> list[Line]:
    """Every line that a query wants now."""
    until = await store.last_offset(query.project_id)
    return [line async for page in store.pages(query, until) for line in page]
