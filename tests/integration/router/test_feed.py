"""The table follows Redis: boot, changes, duplicates, poison, gaps, epochs, bursts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from kernel.events import Envelope, RoutePut, TableEpoch
from router.edge.context import Edge
from router.feed import Feed
from router.settings import RouterSettings
from tests.integration.router.publisher import Publisher, hosts, until
from tests.integration.router.wire import LIMIT_S, endpoints, route

Follow = Callable[..., Awaitable[Edge]]


async def test_a_router_boots_from_the_snapshot(publisher: Publisher, follow: Follow) -> None:
    for n in range(2500):
        await publisher.put(route(f"h{n}.test"), event=False) if n % 500 == 0 else None
    await publisher.put(endpoints("rel_1", "tcp:127.0.0.1:1"))
    edge = await follow()
    assert hosts(edge) == {f"h{n}.test" for n in range(0, 2500, 500)}
    assert (edge.table.epoch, edge.table.version) == ("epo_1", publisher.version)
    assert edge.table.releases["rel_1"].endpoints[0].address == "tcp:127.0.0.1:1"


async def test_changes_are_followed_and_reported(publisher: Publisher, follow: Follow) -> None:
    edge = await follow()
    async with asyncio.timeout(LIMIT_S):
        while not (report := await publisher.report_of("router_1")):
            await asyncio.sleep(0.005)
    assert report["version"] == 0
    await publisher.put(route("a.test"))
    await publisher.put(route("b.test"))
    await publisher.put(endpoints("rel_1", "tcp:127.0.0.1:1"))
    await publisher.delete(host="a.test")
    await publisher.delete(release="rel_1")
    await until(edge, 5)
    assert hosts(edge) == {"b.test"}
    assert not edge.table.releases
    async with asyncio.timeout(LIMIT_S):
        while (report := await publisher.report_of("router_1"))["version"] != 5:
            await asyncio.sleep(0.005)
    assert (report["epoch"], set(report)) == ("epo_1", {"epoch", "version", "pid", "at", "admin"})
    assert 0 < await publisher.redis.ttl("routers:router_1") <= 10
    assert edge.metrics.resyncs == 1


async def test_a_report_is_taken_back_at_the_end_and_from_a_dead_predecessor(
    publisher: Publisher, redis_url: str, follow: Follow
) -> None:
    await publisher.redis.set("routers:dead", b"{}")
    feed = Feed(Edge(RouterSettings(redis_url=redis_url)), redis_url, "mine", None, "dead")
    await feed.start()
    async with asyncio.timeout(10):  # the first report follows the table's first use
        while await publisher.redis.exists("routers:dead"):
            await asyncio.sleep(0.01)
    assert await publisher.report_of("mine")
    await feed.stop()
    assert not await publisher.redis.exists("routers:mine")


async def test_an_event_that_was_sent_twice_changes_nothing(publisher: Publisher, follow: Follow) -> None:
    edge = await follow()
    await publisher.put(route("a.test"))
    await publisher.put(route("a.test", "rel_2"))
    again = RoutePut("epo_1", 1, route("a.test"))
    await publisher.redis.xadd("routes", {"e": Envelope(again, key="routes").encode()})
    await publisher.put(route("b.test"))
    await until(edge, 3)
    found = edge.table.route("a.test", "/")
    assert found is not None
    assert found.release == "rel_2"
    assert edge.metrics.resyncs == 1


async def test_a_poisoned_event_is_skipped_and_counted(publisher: Publisher, follow: Follow) -> None:
    edge = await follow()
    await publisher.put(route("a.test"))
    await publisher.redis.xadd("routes", {"e": b"not an event"})
    await publisher.redis.xadd("routes", {"other": b"x"})
    bad = RoutePut("epo_1", 2, {"host": "b.test", "path": "no slash", "kind": "dynamic"})
    await publisher.redis.xadd("routes", {"e": Envelope(bad, key="routes").encode()})
    publisher.version = 2
    await publisher.put(route("c.test"))
    await until(edge, 3)
    assert hosts(edge) == {"a.test", "c.test"}
    assert edge.metrics.poisoned == 3
    assert edge.metrics.resyncs == 1


async def test_a_poisoned_record_of_the_snapshot_is_skipped(publisher: Publisher, follow: Follow) -> None:
    await publisher.redis.hset("routes:table", "r:x.test/", b"{broken")
    await publisher.redis.hset("routes:table", "e:rel_1", b'{"release": "rel_1", "state": "odd"}')
    await publisher.put(route("a.test"))
    edge = await follow()
    assert hosts(edge) == {"a.test"}
    assert edge.metrics.poisoned == 2


async def test_a_gap_in_the_versions_reads_the_snapshot_again(publisher: Publisher, follow: Follow) -> None:
    edge = await follow()
    await publisher.put(route("a.test"))
    await publisher.put(route("b.test"), event=False)  # its event is lost
    await publisher.put(route("c.test"))
    await until(edge, 3)
    assert hosts(edge) == {"a.test", "b.test", "c.test"}
    assert edge.metrics.resyncs == 2


async def test_a_new_epoch_reads_the_snapshot_again(publisher: Publisher, follow: Follow) -> None:
    await publisher.put(route("old.test"))
    edge = await follow()
    await publisher.redis.delete("routes:table")
    await publisher.begin("epo_2", 7)
    await publisher.put(route("new.test"), event=False)
    told = Envelope(TableEpoch("epo_2", publisher.version), key="routes").encode()
    await publisher.redis.xadd("routes", {"e": told})
    await until(edge, 8, "epo_2")
    assert hosts(edge) == {"new.test"}
    await publisher.put(route("more.test"))
    await until(edge, 9, "epo_2")


async def test_an_event_of_an_epoch_that_was_not_announced_reads_the_snapshot_again(
    publisher: Publisher, follow: Follow
) -> None:
    edge = await follow()
    await publisher.begin("epo_0", 3)  # an older one: Redis was restored
    await publisher.put(route("a.test"))
    await until(edge, 4, "epo_0")
    assert hosts(edge) == {"a.test"}


async def test_a_first_start_before_anything_is_deployed_serves_an_empty_table(
    publisher: Publisher, follow: Follow
) -> None:
    await publisher.redis.delete("routes:epoch", "routes:version")
    edge = await follow()
    assert (edge.table.epoch, edge.table.version) == ("", 0)
    await publisher.begin("epo_1", 0)
    await publisher.put(route("first.test"))
    await until(edge, 1)
    assert hosts(edge) == {"first.test"}


async def test_a_burst_of_changes_ends_equal_to_the_truth(publisher: Publisher, follow: Follow) -> None:
    edges = [await follow() for _ in range(2)]
    for start in range(0, 5000, 500):
        async with publisher.redis.pipeline(transaction=True) as pipe:
            for n in range(start, start + 500):
                publisher.version += 1
                record = route(f"h{n % 700}.test", f"rel_{n}", version=publisher.version)
                _ = pipe.hset("routes:table", f"r:{record['host']}/", orjson.dumps(record))
                told = RoutePut("epo_1", publisher.version, record)
                _ = pipe.xadd("routes", {"e": Envelope(told, key="routes").encode()})
            _ = pipe.set("routes:version", publisher.version)
            await pipe.execute()
    for edge in edges:
        await until(edge, 5000)
        assert {r.key: r.release for r in edge.table.routes()} == await publisher.truth()


async def test_a_change_during_the_snapshot_is_not_lost_nor_undone(publisher: Publisher, follow: Follow) -> None:
    for n in range(300):
        await publisher.put(route(f"h{n}.test"))
    busy = asyncio.Event()

    async def change() -> None:
        while not busy.is_set():
            await publisher.put(route(f"h{publisher.version % 300}.test", f"rel_{publisher.version}"))

    changing = asyncio.gather(change())
    edge = await follow()
    for _ in range(3):
        await asyncio.sleep(0.05)
    busy.set()
    await changing
    await until(edge, publisher.version)
    assert {r.key: r.release for r in edge.table.routes()} == await publisher.truth()
    assert edge.metrics.resyncs == 1
