"""Whatever happens to events, snapshot and connections, in any order: every table ends equal to the truth."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from kernel.events import EndpointsDelete, EndpointsPut, Envelope, Event, RouteDelete, RoutePut, TableEpoch
from kernel.streams.dead import DeadLetter, dead_letters, drop, replay
from router.core.table import Table
from router.edge.context import Edge
from tests.integration.router.publisher import Publisher, hosts, until
from tests.integration.router.wire import LIMIT_S, endpoints, route

Follow = Callable[..., Awaitable[Edge]]
Json = dict[str, Any]


class World:
    """The orchestrator with its truth, a Redis that is treated badly, and what should be served in the end."""

    def __init__(self, publisher: Publisher, seed: int) -> None:
        self.redis = publisher.redis
        self.choose = random.Random(seed)
        self.epoch, self.version = publisher.epoch, publisher.version
        self.truth: dict[str, Json] = {}
        self.told: list[Event] = []

    async def step(self) -> None:
        """One thing happens."""
        faults = [self.repeat, self.reorder, self.lose, self.garble, self.of_a_kind_to_come, self.publish_nonsense]
        faults += [self.trim, self.rebuild, self.cut_connections, self.lose_what_was_written, self.be_slow, self.burst]
        await (self.choose.choice(faults) if self.choose.random() < 0.25 else self.change)()

    # --- changes -----------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[Event, list[Any]]:
        """A change of the truth: its event, and the command that changes the snapshot."""
        self.version += 1
        host = self.choose.choice(["a.test", "b.test", "c.test", "*.test", "*.c.test", "*"])
        path, release = self.choose.choice(["/", "/x", "/x/y"]), f"rel_{self.choose.randrange(4)}"
        kind = self.choose.randrange(6)
        if kind < 3:
            more: Json = {"rules": {"max_body": self.version}} if kind == 2 else {}
            record = route(host, release, path=path, version=self.version, **more)
            return self._put(f"r:{host}{path}", record, RoutePut(self.epoch, self.version, record))
        if kind == 3:
            record = {**endpoints(release, f"tcp:127.0.0.{self.version % 250}:1"), "version": self.version}
            return self._put(f"e:{release}", record, EndpointsPut(self.epoch, self.version, record))
        if kind == 4:
            return self._delete(f"r:{host}{path}", RouteDelete(self.epoch, self.version, host, path))
        return self._delete(f"e:{release}", EndpointsDelete(self.epoch, self.version, release))

    def _put(self, field: str, record: Json, event: Event) -> tuple[Event, list[Any]]:
        self.truth[field] = record
        return event, ["HSET", "routes:table", field, orjson.dumps(record)]

    def _delete(self, field: str, event: Event) -> tuple[Event, list[Any]]:
        self.truth.pop(field, None)
        return event, ["HDEL", "routes:table", field]

    async def write(self, *changes: tuple[Event | None, list[Any]]) -> None:
        async with self.redis.pipeline(transaction=True) as pipe:
            for event, command in changes:
                if event is not None:
                    _ = pipe.xadd("routes", {"e": Envelope(event, key="routes").encode()})
                    self.told.append(event)
                _ = pipe.execute_command(*command)
            _ = pipe.set("routes:version", self.version)
            await pipe.execute()

    async def change(self) -> None:
        await self.write(self._next())

    async def burst(self) -> None:
        await self.write(*(self._next() for _ in range(300)))

    # --- faults ------------------------------------------------------------------------------------------------------

    async def repeat(self) -> None:
        for event in self.choose.sample(self.told, min(3, len(self.told))):
            await self.redis.xadd("routes", {"e": Envelope(event, key="routes").encode()})

    async def reorder(self) -> None:
        (one, first), (other, second) = self._next(), self._next()
        await self.write((None, first), (other, second), (one, ["PING"]))

    async def lose(self) -> None:
        await self.write((None, self._next()[1]))

    async def garble(self) -> None:
        await self.redis.xadd("routes", {"e": self.choose.choice([b"", b"{", b"[]", b"\xff", b'{"data": 1}'])})

    async def of_a_kind_to_come(self) -> None:
        self.version += 1
        event = {"type": "route.pin", "key": "routes", "id": "evt_1", "at": "", "data": {"version": self.version}}
        event["data"]["epoch"] = self.epoch  # type: ignore[index]
        await self.write((None, ["HSET", "routes:table", "p:a.test", "{}"]))
        await self.redis.xadd("routes", {"e": orjson.dumps(event)})

    async def publish_nonsense(self) -> None:
        self.version += 1
        record = {**route("a.test"), "kind": "magic"}
        command = ["HSET", "routes:table", "r:a.test/", orjson.dumps(record)]
        if "r:a.test/" in self.truth:  # who serves something there goes on with it
            await self.write((RoutePut(self.epoch, self.version, record), command))
        else:
            await self.write((RoutePut(self.epoch, self.version, record), ["PING"]))

    async def trim(self) -> None:
        await self.redis.xtrim("routes", maxlen=0, approximate=False)

    async def rebuild(self) -> None:
        self.version += 1
        self.epoch = f"epo_{self.version:06}"
        async with self.redis.pipeline(transaction=True) as pipe:
            _ = pipe.delete("routes:table")
            for field, record in self.truth.items():
                _ = pipe.hset("routes:table", field, orjson.dumps(record))
            _ = pipe.set("routes:epoch", self.epoch)
            _ = pipe.set("routes:version", self.version)
            told = TableEpoch(self.epoch, self.version)
            _ = pipe.xadd("routes", {"e": Envelope(told, key="routes").encode()})
            await pipe.execute()

    async def cut_connections(self) -> None:
        await cut(self.redis)

    async def lose_what_was_written(self) -> None:
        """Redis comes back as it was some changes ago; the orchestrator notices, and writes it anew."""
        before: Any = await self.redis.dump("routes:table")
        version = self.version
        await self.write(*(self._next() for _ in range(5)))
        if before is not None:
            await self.redis.restore("routes:table", 0, before, replace=True)
        await self.redis.set("routes:version", version)
        await self.cut_connections()
        await asyncio.sleep(self.choose.random() * 0.05)
        await self.rebuild()

    async def be_slow(self) -> None:
        await self.redis.client_pause(self.choose.randrange(60))


async def cut(redis: Redis) -> None:
    """Every other connection to Redis breaks."""
    await redis.client_kill_filter(_type="normal", skipme=True)


def shown(table: Table) -> dict[str, Json]:
    routes = {found.key: found.record() for found in table.routes()}
    return routes | {f"e:{name}": table.releases.record(name) or {} for name in table.releases}


@pytest.mark.parametrize("seed", range(8))
async def test_every_table_ends_equal_to_the_truth(publisher: Publisher, follow: Follow, seed: int) -> None:
    world = World(publisher, seed)
    edges = [await follow() for _ in range(2)]
    for _ in range(80):
        await world.step()
        if world.choose.random() < 0.2:
            await asyncio.sleep(world.choose.random() * 0.02)
        for edge in edges:
            assert edge.table.version <= world.version
    await world.change()
    truth = {
        field: {k: v for k, v in record.items() if v or k in ("endpoints",)} for field, record in world.truth.items()
    }
    for edge in edges:
        await until(edge, world.version, world.epoch)
        assert {f: _plain(r) for f, r in shown(edge.table).items()} == {f: _plain(r) for f, r in truth.items()}


def _plain(record: Json) -> Json:
    return {**record, "status": 308}


async def letters(publisher: Publisher) -> list[DeadLetter]:
    return [letter async for letter in dead_letters(publisher.redis)]


async def test_poison_is_buried_once_however_many_routers_meet_it(publisher: Publisher, follow: Follow) -> None:
    edges = [await follow() for _ in range(3)]
    await publisher.redis.xadd("routes", {"e": b"not an event"})
    bad = RoutePut("epo_1", 1, {"host": "b.test", "path": "no slash", "kind": "dynamic"})
    await publisher.redis.xadd("routes", {"e": Envelope(bad, key="routes").encode()})
    publisher.version = 1
    await publisher.put(route("a.test"))
    async with asyncio.timeout(LIMIT_S):
        while len(await letters(publisher)) < 2 or any(edge.table.version < 2 for edge in edges):
            await asyncio.sleep(0.01)
    first, second = await letters(publisher)
    assert (first.event, first.group, first.stream) == (b"not an event", "routers", "routes")
    assert "field 'path'" in second.error
    assert [edge.metrics.poisoned for edge in edges] == [2, 2, 2]
    assert [edge.metrics.resyncs for edge in edges] == [1, 1, 1]
    await drop(publisher.redis, second)
    await replay(publisher.redis, first)  # it is poison still, so it comes back
    async with asyncio.timeout(LIMIT_S):
        while not (found := await letters(publisher)) or found[0].id == first.id:
            await asyncio.sleep(0.01)
    assert len(found) == 1


async def test_an_older_table_takes_nothing_away(publisher: Publisher, follow: Follow) -> None:
    for name in ("a.test", "b.test"):
        await publisher.put(route(name))
    edge = await follow()
    await publisher.redis.hdel("routes:table", "r:b.test/")
    for epoch in ("epo_1", "epo_0"):
        await publisher.redis.mset({"routes:version": 1, "routes:epoch": epoch})
        await publisher.redis.delete("routes")
        await cut(publisher.redis)
        async with asyncio.timeout(LIMIT_S):
            while not edge.gauges()["table_frozen"]:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert hosts(edge) == {"a.test", "b.test"}
        assert edge.gauges()["table_age_seconds"] > 0
        assert (await publisher.report_of("router_1"))["version"] == 2  # those who wait for us still know what we serve
    await publisher.begin("epo_2", 9)
    await publisher.put(route("c.test"))
    await until(edge, 10, "epo_2")
    assert hosts(edge) == {"a.test", "c.test"}
    assert not edge.gauges()["table_frozen"]


async def test_what_a_newer_orchestrator_says_more_is_passed_over(publisher: Publisher, follow: Follow) -> None:
    edge = await follow()
    await publisher.put({**route("a.test"), "colour": "blue"})
    event = {"type": "route.pin", "key": "routes", "id": "evt_1", "at": "", "data": {"epoch": "epo_1", "version": 2}}
    await publisher.redis.hset("routes:table", "p:a.test", b"{}")
    await publisher.redis.xadd("routes", {"e": orjson.dumps(event)})
    publisher.version = 2
    await publisher.put({**endpoints("rel_1", "tcp:127.0.0.1:1"), "shape": "round"})
    await until(edge, 3)
    assert (hosts(edge), edge.metrics.resyncs, edge.metrics.poisoned) == ({"a.test"}, 1, 1)
    assert hosts(await follow()) == {"a.test"}


async def test_values_of_megabytes_are_not_parsed(publisher: Publisher, follow: Follow) -> None:
    edge = await follow()
    await publisher.put(route("a.test"))
    await publisher.put(route("a.test", project="x" * 2_000_000))
    await publisher.put(route("b.test"))
    await until(edge, 3)
    assert hosts(edge) == {"a.test", "b.test"}
    assert edge.table.route_version("a.test", "/") == 1
    (letter,) = await letters(publisher)
    assert len(letter.event) <= 1_048_576


async def test_a_redis_that_answers_with_errors_is_waited_for(publisher: Publisher, follow: Follow) -> None:
    await publisher.put(route("a.test"))
    edge = await follow()
    for broken in ("routes:table", "routes:version", "routes:epoch", "routes"):
        kept: Any = await publisher.redis.dump(broken)
        await publisher.redis.delete(broken)
        await publisher.redis.sadd(broken, "nonsense")
        await cut(publisher.redis)
        await asyncio.sleep(0.2)
        assert hosts(edge) >= {"a.test"}
        await publisher.redis.restore(broken, 0, kept, replace=True)
        await publisher.put(route(f"h{publisher.version}.test"))
        await until(edge, publisher.version)
    assert len(hosts(edge)) == 5
