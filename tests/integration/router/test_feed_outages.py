"""Redis goes, comes back, comes back with less: the table ends equal to the truth and serves all the while."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest

from kernel.events import Envelope, RoutePut
from kernel.streams import connect
from router.edge.context import Edge
from stack.process import Process
from stack.servers.valkey import Valkey
from stack.unit import launch
from tests.integration.router.publisher import Publisher, hosts, until
from tests.integration.router.wire import LIMIT_S, endpoints, route

Follow = Callable[..., Awaitable[Edge]]


class Outage:
    """A Valkey of this test's own, which comes and goes."""

    def __init__(self, directory: Path) -> None:
        self.unit = Valkey(directory / "data", directory / "run", "secret")
        self.process: Process | None = None

    async def up(self) -> None:
        self.process = await launch(self.unit)

    async def down(self, lose: bool = False) -> None:
        assert self.process is not None
        self.process.send(signal.SIGKILL)
        await self.process.wait()
        if lose:
            shutil.rmtree(self.unit.command().cwd)


@pytest.fixture
async def outage() -> AsyncIterator[Outage]:
    with tempfile.TemporaryDirectory(prefix="shipoff-router-") as directory:
        made = Outage(Path(directory))
        await made.up()
        yield made
        await made.down()


async def test_without_redis_the_table_stands_still_and_goes_on_after(outage: Outage, follow: Follow) -> None:
    publisher = Publisher(connect(outage.unit.url))
    await publisher.begin()
    await publisher.put(route("a.test"))
    edge = await follow(outage.unit.url)
    await outage.down()
    async with asyncio.timeout(LIMIT_S):
        while not edge.gauges()["table_frozen"]:
            await asyncio.sleep(0.01)
    assert hosts(edge) == {"a.test"}
    await outage.up()
    publisher = Publisher(connect(outage.unit.url))
    publisher.version = int(await publisher.redis.get("routes:version") or 0)
    await publisher.put(route("b.test"))
    await until(edge, publisher.version)
    assert hosts(edge) == {"a.test", "b.test"}
    assert not edge.gauges()["table_frozen"]


async def test_a_redis_that_comes_back_empty_takes_nothing_away(outage: Outage, follow: Follow) -> None:
    publisher = Publisher(connect(outage.unit.url))
    await publisher.begin()
    await publisher.put(route("a.test"))
    edge = await follow(outage.unit.url)
    await outage.down(lose=True)
    await outage.up()
    await asyncio.sleep(0.5)
    assert hosts(edge) == {"a.test"}
    assert edge.gauges()["table_frozen"]
    publisher = Publisher(connect(outage.unit.url))
    await publisher.begin("epo_2", 20)
    await publisher.put(route("b.test"))
    await until(edge, 21, "epo_2")
    assert hosts(edge) == {"b.test"}


async def test_a_stream_that_was_trimmed_during_an_outage_is_made_up_for(outage: Outage, follow: Follow) -> None:
    publisher = Publisher(connect(outage.unit.url))
    await publisher.begin()
    await publisher.put(route("a.test"))
    edge = await follow(outage.unit.url)
    async with publisher.redis.pipeline(transaction=True) as pipe:  # the router never sees these two
        for host in ("b.test", "c.test"):
            publisher.version += 1
            record = route(host, version=publisher.version)
            _ = pipe.hset("routes:table", f"r:{host}/", orjson.dumps(record))
            told = RoutePut("epo_1", publisher.version, record)
            _ = pipe.xadd("routes", {"e": Envelope(told, key="routes").encode()})
        _ = pipe.set("routes:version", publisher.version)
        _ = pipe.xtrim("routes", maxlen=0, approximate=False)
        await pipe.execute()
    await outage.down()
    await outage.up()
    await until(edge, 3)
    assert hosts(edge) == {"a.test", "b.test", "c.test"}


async def test_a_router_that_starts_without_redis_serves_its_file(
    outage: Outage, follow: Follow, tmp_path: Path
) -> None:
    publisher = Publisher(connect(outage.unit.url))
    await publisher.begin()
    await publisher.put(route("a.test", weights=[["rel_1", 90], ["rel_2", 10]]))
    await publisher.put({"host": "*.wild.test", "path": "/api", "kind": "redirect", "location": "https://x.test/"})
    await publisher.put(endpoints("rel_1", "tcp:127.0.0.1:1"))
    path = tmp_path / "table.jsonl"
    first = await follow(outage.unit.url, path)
    async with asyncio.timeout(LIMIT_S):
        while not path.exists():
            await asyncio.sleep(0.01)
    await outage.down()
    second = await follow(outage.unit.url, path)
    assert [r.record() for r in second.table.routes()] == [r.record() for r in first.table.routes()]
    assert second.table.releases["rel_1"].record() == first.table.releases["rel_1"].record()
    assert (second.table.epoch, second.table.version) == ("epo_1", 3)
    await outage.up()
    publisher = Publisher(connect(outage.unit.url))
    publisher.version = 3
    await publisher.put(route("b.test"))
    await until(second, 4)


async def test_a_password_that_no_longer_fits_freezes_the_table_until_it_does(outage: Outage, follow: Follow) -> None:
    publisher = Publisher(connect(outage.unit.url))
    await publisher.begin()
    await publisher.put(route("a.test"))
    edge = await follow(outage.unit.url)
    await publisher.redis.config_set("requirepass", "another")
    await publisher.redis.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(LIMIT_S):
        while not edge.gauges()["table_frozen"]:
            await asyncio.sleep(0.01)
    await publisher.put(route("b.test"))
    assert hosts(edge) == {"a.test"}
    await publisher.redis.config_set("requirepass", "secret")
    await until(edge, 2)
    assert hosts(edge) == {"a.test", "b.test"}
    assert edge.metrics.resyncs == 1
    await publisher.redis.aclose()


async def test_a_redis_that_takes_no_report_is_followed_all_the_same(outage: Outage, follow: Follow) -> None:
    publisher = Publisher(connect(outage.unit.url))
    await publisher.begin()
    await publisher.put(route("a.test"))
    await publisher.redis.acl_setuser(
        "reader", enabled=True, passwords=["+open"], keys=["*"], categories=["+@all"], commands=["-set", "-eval"]
    )
    place = outage.unit.url.partition("?")[0].removeprefix("unix://")
    edge = await follow(f"unix://reader@{place}?password=open")
    await publisher.redis.xadd("routes", {"e": b"poison whose burial is refused too"})
    await publisher.put(route("b.test"))
    await until(edge, 2)
    assert hosts(edge) == {"a.test", "b.test"}
    assert not edge.gauges()["table_frozen"]
    await publisher.redis.aclose()


async def test_a_start_without_redis_does_not_wait_for_it(outage: Outage, follow: Follow, tmp_path: Path) -> None:
    publisher = Publisher(connect(outage.unit.url))
    await publisher.begin("epo_1", 41)
    await publisher.put(route("a.test"))
    path = tmp_path / "table.jsonl"
    _ = await follow(outage.unit.url, path)
    async with asyncio.timeout(LIMIT_S):
        while not path.exists():
            await asyncio.sleep(0.01)
    await publisher.redis.aclose()
    edge = await follow(f"unix://{tmp_path}/none", path)
    assert (hosts(edge), edge.table.version) == ({"a.test"}, 42)
