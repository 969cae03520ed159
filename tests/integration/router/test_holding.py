"""Requests for releases that sleep, wake, or have no instance for a moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from kernel.events import WakeRequested, decode
from kernel.streams import connect
from kernel.tasks import spawn
from router.wakes import Wakes
from tests.integration.router.publisher import Publisher
from tests.integration.router.wire import (
    InProcess,
    Message,
    Origin,
    Processes,
    endpoints,
    free_port,
    read_message,
    reset,
    route,
)

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
GET = b"GET /%d HTTP/1.1\r\nHost: app.test\r\n\r\n"
PAGE = b"GET / HTTP/1.1\r\nHost: app.test\r\nAccept: text/html,*/*;q=0.8\r\n%b\r\n"


def sleeping(release: str = "rel_1", version: int = 1) -> dict[str, object]:
    return {**endpoints(release, state="asleep"), "version": version}


async def until_waiting(router: InProcess, count: int) -> None:
    async with asyncio.timeout(10):
        while router.edge.guard.lanes.waiting() != count:
            await asyncio.sleep(0.005)


def nothing_is_left(router: InProcess) -> None:
    lanes = router.edge.guard.lanes
    assert (lanes.waiting(), lanes.held, lanes.bytes, lanes._lanes) == (0, 0, 0, {})


@pytest.fixture
async def asleep(make_router: MakeRouter) -> InProcess:
    """A router whose host `app.test` is that of a sleeping release."""
    made = await make_router(hold_s=10, hold_page_s=0)
    made.put(route("app.test"), sleeping())
    return made


def at_once(limit: list[int]) -> Callable[[Reader, Writer], Awaitable[None]]:
    """An app that takes a moment; notes how many requests it has had at once (0) and in which order (1 ...)."""
    now = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal now
        while True:
            request = await read_message(reader)
            limit.append(int(request.first.split(" ")[1][1:]))
            now += 1
            limit[0] = max(limit[0], now)
            await asyncio.sleep(0.002)
            now -= 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    return script


@pytest.mark.parametrize(("rules", "most"), [({}, 64), ({"concurrency": {"limit": 5, "queue": 10}}, 5)])
async def test_a_thousand_requests_go_on_and_not_all_at_once(
    asleep: InProcess, make_origin: MakeOrigin, rules: dict[str, object], most: int
) -> None:
    seen = [0]
    made = await make_origin(script=at_once(seen))
    asleep.put(route("app.test", rules=rules))
    asked = []
    for n in range(1000):
        asked.append(spawn(asleep.ask(GET % n), "test.ask"))
        if n % 50 == 49:
            await until_waiting(asleep, n + 1)
    asleep.put({**endpoints("rel_1", made.address), "version": 2})
    assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
    assert seen[0] <= most
    assert sorted(seen[1:]) == list(range(1000))
    nothing_is_left(asleep)


async def test_a_cold_start_is_told_to_the_client_and_counted(asleep: InProcess, origin: Origin) -> None:
    waiting = spawn(asleep.ask(GET % 1), "test.ask")
    await until_waiting(asleep, 1)
    asleep.put(endpoints("rel_1", origin.address))
    assert "cold;dur=" in (await waiting)["server-timing"]
    assert "cold;dur=" not in (await asleep.ask(GET % 2))["server-timing"]
    numbers = asleep.edge.metrics.numbers({})
    assert (numbers["answers"]["woken 200"], numbers["answers"]["app 200"]) == (1, 1)
    assert sum(numbers["histograms"]["cold_start"][:-1]) == 1


async def test_who_came_first_goes_first(asleep: InProcess, make_origin: MakeOrigin) -> None:
    seen = [0]
    made = await make_origin(script=at_once(seen))
    asleep.put(route("app.test", rules={"concurrency": {"limit": 1}}))
    asked = []
    for n in range(30):
        asked.append(spawn(asleep.ask(GET % n), "test.ask"))
        await until_waiting(asleep, n + 1)
    asleep.put(endpoints("rel_1", made.address))
    assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
    assert seen == [1, *range(30)]


@pytest.fixture
async def activity(redis_url: str) -> AsyncIterator[Redis]:
    redis = connect(redis_url)
    yield redis
    await redis.aclose()


async def test_a_release_is_woken_once_however_many_ask_on_however_many_workers(
    make_router: MakeRouter, redis_url: str, activity: Redis
) -> None:
    routers = [await make_router(hold_s=10) for _ in range(2)]
    wakes = [Wakes(one.edge, redis_url, f"router_{n}") for n, one in enumerate(routers)]
    asked = []
    for one, wake in zip(routers, wakes, strict=True):
        wake.start()
        one.put(route("app.test"), sleeping())
        asked += [spawn(one.ask(GET % n), "test.ask") for n in range(100)]
    for one in routers:
        await until_waiting(one, 100)
    async with asyncio.timeout(10):
        while any(not one.edge.metrics.wakes for one in routers):
            await asyncio.sleep(0.01)
    entries: Any = await activity.xrange("activity")
    events = [decode(fields[b"e"]) for _, fields in entries]
    assert [(event.key, event.data.TYPE) for event in events] == [("rel_1", "wake.requested")]
    assert isinstance(events[0].data, WakeRequested)
    assert events[0].data.release_id == "rel_1"
    for one in routers:  # it fell asleep again: that is another sleep
        one.put(sleeping(version=7))
        asked.append(spawn(one.ask(GET % 1), "test.ask"))
    async with asyncio.timeout(10):
        while any(one.edge.metrics.wakes < 2 for one in routers):
            await asyncio.sleep(0.01)
    assert await activity.xlen("activity") == 2
    for task in asked:
        task.cancel()
    for wake in wakes:
        await wake.stop()


async def test_without_redis_requests_wait_all_the_same(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router(hold_s=10)
    wakes = Wakes(router.edge, f"redis://127.0.0.1:{free_port()}", "router_1")
    wakes.start()
    router.put(route("app.test"), sleeping())
    waiting = spawn(router.ask(GET % 1), "test.ask")
    await until_waiting(router, 1)
    router.put(endpoints("rel_1", origin.address))
    assert (await waiting).status == 200
    await wakes.stop()


async def test_who_waits_too_long_is_told_when_to_come_again(make_router: MakeRouter) -> None:
    router = await make_router(hold_s=0.3, switch_s=0.2)
    router.put(route("app.test"), sleeping(), route("waking.test", "rel_2"), endpoints("rel_2", state="waking"))
    router.put(route("none.test", "rel_3"), route("empty.test", "rel_4"), endpoints("rel_4"))
    seen = {}
    for host in ("app", "waking", "none", "empty"):
        answer = await router.ask(b"GET / HTTP/1.1\r\nHost: %b.test\r\n\r\n" % host.encode())
        seen[host] = (answer.status, answer["x-shipoff-error"], answer["retry-after"])
    assert seen == {
        "app": (503, "HOLD_TIMEOUT", "5"),
        "waking": (503, "HOLD_TIMEOUT", "5"),
        "none": (503, "NO_INSTANCE", "5"),
        "empty": (503, "NO_INSTANCE", "5"),
    }
    nothing_is_left(router)


@pytest.mark.parametrize(
    "bound", [{"hold_queue": 3}, {"hold_total": 3}, {"hold_bytes": 3400}, {"hold_release_bytes": 3400}]
)
async def test_the_queue_is_bounded(make_router: MakeRouter, origin: Origin, bound: dict[str, int]) -> None:
    router = await make_router(hold_s=10, **bound)
    router.put(route("app.test"), sleeping())
    waiting = [spawn(router.ask(GET % n), "test.ask") for n in range(3)]
    await until_waiting(router, 3)
    answer = await router.ask(GET % 9)
    assert (answer.status, answer["x-shipoff-error"], answer["retry-after"]) == (503, "HOLD_FULL", "5")
    router.put(endpoints("rel_1", origin.address))
    assert {a.status for a in await asyncio.gather(*waiting)} == {200}
    nothing_is_left(router)


async def test_a_rule_bounds_and_switches_off(asleep: InProcess) -> None:
    asleep.put(route("app.test", rules={"hold": {"queue": 0}}))
    assert (await asleep.ask(GET % 1))["x-shipoff-error"] == "HOLD_FULL"
    asked = []
    asleep.edge.wake = lambda release, version: asked.append((release, version))
    asleep.put(route("app.test", rules={"hold": {"wait_s": 0}}))
    answer = await asleep.ask(GET % 1)
    assert (answer.status, answer["x-shipoff-error"], answer["retry-after"]) == (503, "ASLEEP", "5")
    assert asked == [("rel_1", 1)]


@pytest.mark.parametrize("how", ["closes", "resets"])
async def test_who_goes_away_leaves_the_queue(asleep: InProcess, origin: Origin, how: str) -> None:
    _, writer = await asleep.connect()
    writer.write(GET % 1)
    waiting = spawn(asleep.ask(GET % 2), "test.ask")
    await until_waiting(asleep, 2)
    reset(writer) if how == "resets" else writer.close()
    await until_waiting(asleep, 1)
    asleep.put(endpoints("rel_1", origin.address))
    assert (await waiting).status == 200
    assert [r.first for r in origin.requests] == ["GET /2 HTTP/1.1"]
    nothing_is_left(asleep)


async def test_a_browser_gets_a_page_that_loads_again_and_programs_wait(
    make_router: MakeRouter, origin: Origin
) -> None:
    router = await make_router(hold_s=10, hold_page_s=0.2)
    router.put(route("app.test"), sleeping())
    programs = [
        spawn(router.ask(raw), "test.ask")
        for raw in (
            GET % 1,
            PAGE.replace(b"GET", b"POST") % b"Content-Length: 0\r\n",
            PAGE % b"Sec-Fetch-Mode: cors\r\n",
        )
    ]
    for more in (b"", b"Sec-Fetch-Mode: navigate\r\n"):
        page = await router.ask(PAGE % more)
        assert (page.status, page["x-shipoff-error"], page["retry-after"]) == (503, "ASLEEP", "2")
        assert (page["content-type"], page["cache-control"]) == ("text/html; charset=utf-8", "no-store")
        assert b'http-equiv="refresh"' in page.body
    await until_waiting(router, 3)
    router.put(endpoints("rel_1", origin.address))
    assert {a.status for a in await asyncio.gather(*programs)} == {200}
    assert (await router.ask(PAGE % b"")).status == 200


async def test_bodies_arrive_whole_whenever_they_come(asleep: InProcess, origin: Origin) -> None:
    size = 300_000
    reader, writer = await asleep.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: %d\r\n\r\n" % size)
    await until_waiting(asleep, 1)
    writer.write(b"x" * size)
    await asyncio.sleep(0.1)
    assert asleep.edge.guard.lanes.bytes < 3 * 65536 + 4096
    asleep.put(endpoints("rel_1", origin.address))
    answer = await read_message(reader)
    assert (answer.status, json.loads(answer.body)["size"]) == (200, size)
    writer.close()
    nothing_is_left(asleep)


async def test_what_waits_on_a_connection_does_not_lose_what_is_behind_it(asleep: InProcess, origin: Origin) -> None:
    reader, writer = await asleep.connect()
    writer.write(GET % 1 + GET % 2)
    await until_waiting(asleep, 1)
    asleep.put(endpoints("rel_1", origin.address))
    firsts = [json.loads((await read_message(reader)).body)["first"] for _ in range(2)]
    assert firsts == ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1"]
    writer.close()


async def flipped(router: InProcess, *records: dict[str, object]) -> Message:
    """What a held request gets when the table changes under it."""
    waiting = spawn(router.ask(GET % 1), "test.ask")
    await until_waiting(router, 1)
    router.put(*records)
    answer = await waiting
    nothing_is_left(router)
    return answer


async def test_the_table_may_change_in_any_way_meanwhile(asleep: InProcess, origin: Origin) -> None:
    new = endpoints("rel_2", origin.address)
    assert (await flipped(asleep, new, route("app.test", "rel_2"))).status == 200
    asleep.put(route("app.test"))
    redirect = {"host": "app.test", "path": "/", "kind": "redirect", "location": "https://x/", "status": 307}
    assert (await flipped(asleep, redirect)).status == 307
    asleep.put(route("app.test"))
    rules = {"allow": ["10.0.0.0/8"]}
    closed = await flipped(asleep, route("app.test", rules=rules), endpoints("rel_1", origin.address))
    assert closed["x-shipoff-error"] == "ADDRESS_REFUSED"  # rules that came meanwhile hold
    asleep.put(route("app.test"), sleeping())
    waiting = spawn(asleep.ask(GET % 1), "test.ask")
    await until_waiting(asleep, 1)
    asleep.edge.table.delete_route("app.test", "/")
    assert (await waiting)["x-shipoff-error"] == "NO_ROUTE"
    nothing_is_left(asleep)


async def test_a_release_that_has_no_instance_for_a_moment_fails_nobody(
    make_router: MakeRouter, make_origin: MakeOrigin
) -> None:
    router = await make_router(switch_s=5)
    router.put(route("app.test"), endpoints("rel_1", (await make_origin()).address))
    statuses: list[int] = []
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            statuses.append((await router.ask(GET % 1)).status)

    clients = [spawn(ask(), "test.client") for _ in range(5)]
    for n in range(5):
        router.put(endpoints("rel_1"))
        await until_waiting(router, 5)
        origin = await make_origin(name=str(n))
        router.put(endpoints("rel_1", origin.address))
        async with asyncio.timeout(10):
            while len(origin.requests) < 10:
                await asyncio.sleep(0.005)
    done.set()
    await asyncio.gather(*clients)
    assert set(statuses) == {200}


async def test_an_instance_that_comes_and_refuses_is_not_the_end(asleep: InProcess, origin: Origin) -> None:
    waiting = [spawn(asleep.ask(GET % n), "test.ask") for n in range(20)]
    await until_waiting(asleep, 20)
    asleep.put(endpoints("rel_1", f"tcp:127.0.0.1:{free_port()}", origin.address))
    assert {a.status for a in await asyncio.gather(*waiting)} == {200}
    nothing_is_left(asleep)


async def test_a_held_request_is_seen_from_outside(asleep: InProcess) -> None:
    waiting = spawn(asleep.ask(GET % 1), "test.ask")
    await until_waiting(asleep, 1)
    assert asleep.edge.metrics.held == 1
    assert asleep.edge.gauges()["waiting"] == 1
    (client,) = asleep.edge.clients
    assert client.describe()["phase"] == "DIAL"
    waiting.cancel()


async def test_a_sleeping_release_is_woken_through_the_whole_router(
    make_processes: Callable[..., Processes], publisher: Publisher, redis_url: str, origin: Origin
) -> None:
    router = make_processes(redis_url=redis_url)
    await publisher.put(endpoints("rel_1", state="asleep"))
    await publisher.put(route("app.test"))
    await router.start()
    waiting = [spawn(router.ask(GET % n), "test.ask") for n in range(20)]
    async with asyncio.timeout(10):
        while not await publisher.redis.exists("activity"):
            await asyncio.sleep(0.01)
    await publisher.put(endpoints("rel_1", state="waking"))
    await publisher.put(endpoints("rel_1", origin.address))
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
    assert await publisher.redis.xlen("activity") == 1
    shown = (await router.get("/metrics")).body.decode()
    assert "router_held_total 20.0" in shown
    assert "router_waiting 0.0" in shown
