"""What a worker tells of its releases, second by second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from kernel.activity import ReleaseActivity, read
from kernel.events import ActivityReported, decode
from kernel.streams import connect
from kernel.tasks import spawn
from router.activity import ActivityReports
from tests.integration.router.wire import InProcess, Origin, endpoints, free_port, read_message, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
GET = b"GET / HTTP/1.1\r\nHost: %b.test\r\n\r\n"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    made = connect(redis_url)
    yield made
    await made.aclose()


async def told(redis: Redis) -> dict[str, ReleaseActivity]:
    """The sum of all reports by release."""
    sums: dict[str, ReleaseActivity] = {}
    entries: Any = await redis.xrange("activity")
    for _, fields in entries:
        event = decode(fields[b"e"]).data
        if isinstance(event, ActivityReported):
            assert event.window_s > 0
            for one in map(read, event.releases):
                sums[one.release] = sums[one.release].add(one) if one.release in sums else one
    return sums


async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_message(reader)
        writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")


async def test_every_request_is_told_once_and_held_ones_beside(
    make_router: MakeRouter, make_origin: MakeOrigin, origin: Origin, redis_url: str, redis: Redis
) -> None:
    router = await make_router(hold_s=10)
    bad = await make_origin(script=failing)
    router.put(route("good.test", "rel_1"), endpoints("rel_1", origin.address))
    router.put(route("bad.test", "rel_2"), endpoints("rel_2", bad.address))
    router.put(route("sleeps.test", "rel_3"), {**endpoints("rel_3", state="asleep"), "version": 1})
    router.put(route("gone.test", "rel_4"), endpoints("rel_4", f"tcp:127.0.0.1:{free_port()}"))
    reports = ActivityReports(router.edge, redis_url, "router_1")
    reports.start()
    held = [spawn(router.ask(GET % b"sleeps"), "test.ask") for _ in range(3)]
    for host, status in ((b"good", 200), (b"bad", 500), (b"gone", 502)):
        assert {(await router.ask(GET % host)).status for _ in range(5)} == {status}
    async with asyncio.timeout(10):
        while (seen := (await told(redis)).get("rel_3")) is None or seen.waiting < 3:
            await asyncio.sleep(0.05)
    router.put({**endpoints("rel_3", origin.address), "version": 2})
    assert {answer.status for answer in await asyncio.gather(*held)} == {200}
    await reports.stop()
    sums = await told(redis)
    assert {name: (one.requests, one.held, one.failed, one.upstream_5xx) for name, one in sums.items()} == {
        "rel_1": (5, 0, 0, 0),
        "rel_2": (5, 0, 0, 5),
        "rel_3": (3, 3, 0, 0),
        "rel_4": (5, 0, 5, 0),
    }
    assert sum(sums["rel_1"].latency.values()) == 5
    assert router.edge.metrics.reports_dropped == 0


async def test_a_tunnel_is_in_flight_as_long_as_it_is_open(
    make_router: MakeRouter, make_origin: MakeOrigin, redis_url: str, redis: Redis
) -> None:
    async def upgrading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        await reader.read()

    router = await make_router()
    made = await make_origin(script=upgrading)
    router.put(route("app.test"), endpoints("rel_1", made.address))
    reports = ActivityReports(router.edge, redis_url, "router_1")
    reports.start()
    reader, writer = await router.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(10):
        while (await told(redis)).get("rel_1", ReleaseActivity("rel_1")).in_flight < 2:  # in two reports
            await asyncio.sleep(0.05)
    writer.close()
    async with asyncio.timeout(10):
        while router.edge.tunnels:
            await asyncio.sleep(0.01)
    await reports.stop()
    assert router.edge.activities.of("rel_1", 0.0).in_flight == 0
    assert (await told(redis))["rel_1"].busy_s > 1


async def test_without_redis_reports_are_dropped_and_counted(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router()
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    reports = ActivityReports(router.edge, f"redis://127.0.0.1:{free_port()}", "router_1")
    reports.start()
    assert (await router.ask(GET % b"app")).status == 200
    await reports.stop()
    assert (router.edge.metrics.reports, router.edge.metrics.reports_dropped) == (0, 1)
