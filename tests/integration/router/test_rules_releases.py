"""The rules that choose where a request goes and when: canary and concurrency, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from kernel.tasks import spawn
from tests.integration.router.wire import InProcess, Message, Origin, endpoints, read_message, reset, route

MakeOrigin = Callable[..., Awaitable[Origin]]


def get(path: str = "/", *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: app.test", *lines, "", ""]).encode()


def rule(router: InProcess, **rules: Any) -> None:
    router.put(route("app.test", rules=rules))


def told(answer: Message) -> tuple[int, str]:
    return answer.status, answer["x-shipoff-error"]


# --- canary -----------------------------------------------------------------------------------------------------------


async def two_releases(router: InProcess, make_origin: MakeOrigin, **canary: Any) -> None:
    one, other = await make_origin(name="a"), await make_origin(name="b")
    router.put(endpoints("rel_a", one.address), endpoints("rel_b", other.address))
    router.put(route("app.test", "rel_a", weights=[["rel_a", 90], ["rel_b", 10]], rules={"canary": canary}))


async def by(router: InProcess, *lines: str) -> tuple[str, str]:
    answer = await router.ask(get("/", *lines))
    return json.loads(answer.body)["by"], answer["set-cookie"]


async def test_a_canary_is_drawn_anew_for_every_request(router: InProcess, make_origin: MakeOrigin) -> None:
    await two_releases(router, make_origin, header="X-Release")
    for point, name in ((0.0, "a"), (0.95, "b"), (0.5, "a")):
        router.edge.guard.draw = lambda at=point: at  # type: ignore[misc]
        assert await by(router) == (name, "")


async def test_a_cookie_keeps_a_client_with_its_release(router: InProcess, make_origin: MakeOrigin) -> None:
    await two_releases(router, make_origin, cookie="canary", max_age_s=60)
    router.edge.guard.draw = lambda: 0.95
    name, cookie = await by(router)
    assert (name, cookie) == ("b", "canary=rel_b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax")
    router.edge.guard.draw = lambda: 0.0
    assert await by(router, "Cookie: x=1; " + cookie.partition(";")[0]) == ("b", "")
    assert (await by(router, "Cookie: canary=rel_gone"))[0] == "a"


async def test_a_header_overrides_the_draw(router: InProcess, make_origin: MakeOrigin) -> None:
    await two_releases(router, make_origin, cookie="canary", header="X-Release")
    router.put(endpoints("rel_hidden", "tcp:127.0.0.1:1"))
    router.edge.guard.draw = lambda: 0.0
    assert await by(router, "x-release: rel_b", "Cookie: canary=rel_a") == ("b", "")
    assert (await by(router, "X-Release: rel_hidden"))[0] == "a"


# --- concurrency ------------------------------------------------------------------------------------------------------


class Gate:
    """An origin that answers when the test says so, and counts what it has at once."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.now = self.most = 0
        self.seen: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_message(reader)
            self.seen.append(request.first.split(" ")[1])
            self.now += 1
            self.most = max(self.most, self.now)
            await self.open.wait()
            self.now -= 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def has(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.seen) < count:
                await asyncio.sleep(0.01)


async def waiting(router: InProcess, count: int) -> None:
    async with asyncio.timeout(10):
        while router.edge.guard.lanes.waiting() != count:
            await asyncio.sleep(0.01)


async def test_an_instance_gets_so_many_at_once_and_the_rest_wait_in_order(
    router: InProcess, make_origin: MakeOrigin
) -> None:
    gate = Gate()
    router.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    rule(router, concurrency={"limit": 2, "queue": 3, "queue_s": 30})
    asks = []
    for n in range(5):
        asks.append(spawn(router.ask(get(f"/{n}")), "test.ask"))
        await (gate.has(n + 1) if n < 2 else waiting(router, n - 1))
    assert told(await router.ask(get("/full"))) == (503, "QUEUE_FULL")
    gate.open.set()
    assert [a.status for a in await asyncio.gather(*asks)] == [200] * 5
    assert gate.seen == [f"/{n}" for n in range(5)]
    assert gate.most == 2
    assert not router.edge.guard.lanes._lanes


async def test_who_waits_too_long_is_told_so(router: InProcess, make_origin: MakeOrigin) -> None:
    gate = Gate()
    router.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    rule(router, concurrency={"limit": 1, "queue_s": 0.1})
    first = spawn(router.ask(get()), "test.ask")
    await gate.has(1)
    assert told(await router.ask(get())) == (503, "QUEUE_TIMEOUT")
    gate.open.set()
    assert (await first).status == 200


async def test_who_leaves_the_queue_takes_no_place(router: InProcess, make_origin: MakeOrigin) -> None:
    gate = Gate()
    router.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    rule(router, concurrency={"limit": 1, "queue": 2})
    first = spawn(router.ask(get("/1")), "test.ask")
    await gate.has(1)
    _, writer = await router.connect()
    writer.write(get("/gone"))
    await waiting(router, 1)
    reset(writer)
    await waiting(router, 0)
    last = spawn(router.ask(get("/2")), "test.ask")
    await waiting(router, 1)
    gate.open.set()
    assert [(await first).status, (await last).status] == [200, 200]
    assert gate.seen == ["/1", "/2"]
    assert not router.edge.guard.lanes._lanes


async def test_a_queue_that_only_a_dead_instance_has_room_for_waits_for_the_other(
    router: InProcess, make_origin: MakeOrigin
) -> None:
    gate = Gate()
    good = (await make_origin(script=gate)).address
    router.put(endpoints("rel_1", good))
    rule(router, concurrency={"limit": 1, "queue_s": 30})
    first = spawn(router.ask(get("/1")), "test.ask")
    await gate.has(1)
    # the busy instance stays busy: a new record keeps its count, since address and instance are the same
    router.put(endpoints("rel_1", good, "tcp:127.0.0.1:1"))
    more = [spawn(router.ask(get(f"/{n}")), "test.ask") for n in (2, 3)]
    await waiting(router, 2)
    gate.open.set()
    assert [(await ask).status for ask in (first, *more)] == [200] * 3


async def test_no_instance_that_accepts_is_told_at_once_and_forgotten(router: InProcess) -> None:
    router.put(endpoints("rel_1", "tcp:127.0.0.1:1"))
    rule(router, concurrency={"limit": 1})
    assert told(await router.ask(get())) == (502, "UPSTREAM_REFUSED")
    assert not router.edge.guard.lanes._lanes
