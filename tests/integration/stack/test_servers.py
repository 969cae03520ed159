"""The servers that the platform runs on: reachable with their secret only, and refusing everybody else."""

from __future__ import annotations

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from kernel.objects import ObjectStore, StoreSettings
from kernel.streams import connect
from stack.servers.s3_probe import S3Probe
from stack.servers.seaweed import S3Address


async def test_each_database_is_empty_and_its_own(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
        await connection.execute("create table mine (id int)")
    finally:
        await connection.close()


async def test_postgres_refuses_a_wrong_password(database_url: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database_url, password="wrong")


async def test_valkey_answers_with_its_password_only(redis_url: str) -> None:
    client = connect(redis_url)
    try:
        assert await client.dbsize() == 0
    finally:
        await client.aclose()
    stranger = Redis.from_url(redis_url.partition("?")[0], protocol=2)
    with pytest.raises(RedisConnectionError, match="Authentication required"):
        await stranger.ping()
    await stranger.aclose()


async def test_the_object_store_keeps_an_object(store_settings: StoreSettings) -> None:
    store = ObjectStore(store_settings)
    try:
        await store.put("stack/one", b"hello")
        assert await store.get("stack/one") == b"hello"
    finally:
        await store.close()


async def test_the_object_store_refuses_a_wrong_secret(s3_settings: S3Address) -> None:
    probe = S3Probe(s3_settings.endpoint, s3_settings.access_key, "wrong", s3_settings.region)
    assert "403" in await probe.put(s3_settings.bucket, "stack/two", b"")
