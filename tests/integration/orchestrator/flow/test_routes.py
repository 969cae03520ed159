"""The route table: its versions, Redis' copy, and what happens to the copy when Redis loses it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from kernel import events, tasks
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.streams import OutboxRelay
from orchestrator.acknowledgements import Acknowledgements
from orchestrator.routes import EPOCH, TABLE, VERSION, RouteTable, current
from orchestrator.snapshot import Snapshot


def route(host: str, release: str = "rel_1") -> dict[str, Any]:
    return {"host": host, "path": "/", "project": "prj_1", "environment": "production", "kind": "static",
            "release": release, "manifest": "m", "rules": {}}  # fmt: skip


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def copy(redis: Redis) -> dict[str, Any]:
    """What a router that boots now would read."""
    raw: Any = await redis.hgetall(TABLE)
    return {field.decode(): orjson.loads(record) for field, record in raw.items()}


async def truth(database: Database) -> dict[str, Any]:
    routes = await database.fetch("select host, path, record from routes")
    endpoints = await database.fetch("select release_id, record from endpoints")
    found = {f"r:{row['host']}{row['path']}": row["record"] for row in routes}
    return found | {f"e:{row['release_id']}": row["record"] for row in endpoints}


async def sent(database: Database) -> bool:
    return bool(await database.fetchval("select count(*) = 0 from outbox"))


async def stream(redis: Redis) -> list[events.Event]:
    raw: Any = await redis.xrange("routes")
    return [events.decode(fields[b"e"]).data for _, fields in raw]


async def put(database: Database, host: str, release: str = "rel_1") -> int:
    async with database.transaction() as tx:
        return await RouteTable().put_route(tx, route(host, release))


@pytest.mark.usefixtures("relay")
async def test_versions_grow_by_one_in_commit_order_however_many_write(database: Database, redis: Redis) -> None:
    await asyncio.gather(*(put(database, f"h{number}.localhost") for number in range(40)))
    await until(lambda: sent(database))
    versions = [event.version for event in await stream(redis)]  # type: ignore[attr-defined]
    assert versions == list(range(1, 41))
    assert await redis.get(VERSION) == b"40"
    assert await copy(redis) == await truth(database)


@pytest.mark.usefixtures("relay")
async def test_a_change_that_rolls_back_takes_no_version(database: Database, redis: Redis) -> None:
    async def half_done() -> None:
        async with database.transaction() as tx:
            await RouteTable().put_route(tx, route("a.localhost"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half_done()
    assert await put(database, "b.localhost") == 1
    await until(lambda: sent(database))
    assert list(await copy(redis)) == ["r:b.localhost/"]


@pytest.mark.usefixtures("relay")
async def test_deleting_what_is_not_there_is_no_change(database: Database) -> None:
    async with database.transaction() as tx:
        assert await RouteTable().delete_route(tx, "none.localhost", "/") is None
        assert await RouteTable().delete_endpoints(tx, "rel_none") is None
    assert await current(database) == ("", 0)


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("loss", ["everything", "the last changes", "changes before the last", "the epoch"])
async def test_a_redis_that_lost_data_gets_the_whole_table_again(loss: str, database: Database, redis: Redis) -> None:
    snapshot = Snapshot(database, redis, RouteTable())
    for number in range(5):
        await put(database, f"h{number}.localhost")
    async with database.transaction() as tx:
        await RouteTable().put_endpoints(tx, "rel_1", [{"address": "tcp:127.0.0.1:1", "instance": "ins_1"}], "running")
    await until(lambda: sent(database))
    await snapshot.rebuild()
    await until(lambda: sent(database))
    assert not await snapshot.is_behind()
    epoch, _ = await current(database)
    match loss:
        case "everything":
            await redis.flushall()
        case "the last changes":
            await redis.set(VERSION, "3")
            await redis.hdel(TABLE, "r:h4.localhost/")
        case "changes before the last":
            await redis.set(VERSION, "3")
            await redis.hdel(TABLE, "r:h4.localhost/")
            await put(database, "h5.localhost")
            await until(lambda: sent(database))
        case _:
            await redis.set(EPOCH, "epo_other")
    assert await snapshot.is_behind()
    await snapshot.rebuild()
    await until(lambda: sent(database))
    assert not await snapshot.is_behind()
    assert await copy(redis) == await truth(database)
    assert (await current(database))[0] != epoch
    last = (await stream(redis))[-1]
    assert isinstance(last, events.TableEpoch)
    assert (last.epoch, last.version) == await current(database)


async def test_of_several_that_find_the_copy_behind_one_writes_it_anew(database: Database, redis: Redis) -> None:
    for number in range(5):
        await put(database, f"h{number}.localhost")
    await database.execute("delete from outbox")  # Redis had these, and lost them
    finders = [Snapshot(database, redis, RouteTable()) for _ in range(3)]
    assert all([await finder.is_behind() for finder in finders])
    await asyncio.gather(*(finder.rebuild() for finder in finders))
    assert await database.fetchval("select count(*) from outbox") == 1
    relay = OutboxRelay(database, redis)
    relay.start()
    await until(lambda: sent(database))
    await relay.stop()
    assert await copy(redis) == await truth(database)


@pytest.mark.usefixtures("relay")
async def test_an_empty_table_has_an_empty_copy(database: Database, redis: Redis) -> None:
    await redis.hset(TABLE, "r:ghost/", "{}")
    snapshot = Snapshot(database, redis, RouteTable())
    assert await snapshot.is_behind()
    await snapshot.rebuild()
    await until(lambda: sent(database))
    assert await copy(redis) == {}


async def report(redis: Redis, router: str, version: int) -> None:
    await redis.set(f"routers:{router}", orjson.dumps({"epoch": "epo_1", "version": version, "pid": 1, "at": 0}), ex=10)


async def test_all_live_routers_must_serve_the_version(redis: Redis) -> None:
    acknowledgements = Acknowledgements(redis)
    await report(redis, "one", 7)
    await report(redis, "two", 6)
    waiting = tasks.spawn(acknowledgements.wait(7, 10.0), "waits")
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await report(redis, "two", 8)
    await asyncio.wait_for(waiting, 5)


async def test_a_router_that_is_gone_stops_counting(redis: Redis) -> None:
    await report(redis, "one", 7)
    await report(redis, "dead", 1)
    await redis.pexpire("routers:dead", 100)
    await Acknowledgements(redis).wait(7, 5.0)


async def test_who_is_behind_is_named_and_no_router_is_not_enough(redis: Redis) -> None:
    with pytest.raises(ShipoffError, match="no router is live"):
        await Acknowledgements(redis).wait(1, 0.05)
    await report(redis, "slow", 3)
    with pytest.raises(ShipoffError, match="routers:slow serves 3"):
        await Acknowledgements(redis).wait(4, 0.05)
