"""Instances that fail: when they are set aside, and how they come back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from collections.abc import Awaitable, Callable, Iterator

from router.core.balance import Endpoint
from tests.integration.router.wire import InProcess, Message, Origin, endpoints, free_port, read_message, reset, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Script = Callable[[Reader, Writer], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def endpoint(router: InProcess, at: int = 0) -> Endpoint:
    return router.edge.table.releases["rel_1"].endpoints[at]


def counting(*answers: bytes) -> tuple[Script, list[Message]]:
    """An app that gives these answers in turn, over all its connections, and the last one for ever."""
    seen: list[Message] = []

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            seen.append(await read_message(reader))
            writer.write(answers[min(len(seen), len(answers)) - 1])

    return script, seen


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % code


async def test_a_streak_of_errors_sets_an_instance_aside(router: InProcess, make_origin: MakeOrigin) -> None:
    script, seen = counting(status(503))
    bad, good = await make_origin(script=script), await make_origin()
    router.put(endpoints("rel_1", bad.address, good.address))
    statuses = [(await router.ask(GET)).status for _ in range(60)]
    assert statuses.count(503) == len(seen) == 5
    assert endpoint(router).aside_until > router.edge.now
    assert router.edge.metrics.ejections == 1
    shown = endpoint(router).describe(router.edge.now)
    assert (shown["aside_why"], shown["on_trial"]) == ("answers", True)


async def test_errors_of_the_apps_code_do_not(router: InProcess, make_origin: MakeOrigin) -> None:
    script, seen = counting(status(500))
    bad, good = await make_origin(script=script), await make_origin()
    router.put(endpoints("rel_1", bad.address, good.address))
    for _ in range(60):
        await router.ask(GET)
    assert len(seen) > 10
    router.put(route("app.test", rules={"health": {"statuses": [500], "streak": 2}}))
    before = len(seen)
    for _ in range(40):
        await router.ask(GET)
    assert len(seen) - before <= 2


async def test_the_only_instance_serves_whatever_it_answers(router: InProcess, make_origin: MakeOrigin) -> None:
    script, seen = counting(status(503))
    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    assert [(await router.ask(GET)).status for _ in range(20)] == [503] * 20
    assert len(seen) == 20


async def test_resets_and_silence_before_an_answer_set_aside(make_router: MakeRouter, make_origin: MakeOrigin) -> None:
    async def resets(reader: Reader, writer: Writer) -> None:
        await read_message(reader)
        reset(writer)

    async def hangs(reader: Reader, writer: Writer) -> None:
        await reader.read(-1)

    router = await make_router(answer_s=0.1)
    good = await make_origin()
    for script, code in ((resets, "UPSTREAM_CLOSED"), (hangs, "UPSTREAM_TIMEOUT")):
        bad = await make_origin(script=script)
        rule = {"health": {"streak": 3}}
        router.put(route("app.test", rules=rule), endpoints("rel_1", bad.address, good.address))
        codes = [(await router.ask(POST))["x-shipoff-error"] for _ in range(30)]
        assert codes.count(code) == 3
        assert codes.count("") == 27


async def test_a_probe_takes_an_instance_back_that_listens_again(router: InProcess, make_origin: MakeOrigin) -> None:
    port, good = free_port(), await make_origin(name="good")
    router.put(endpoints("rel_1", f"tcp:127.0.0.1:{port}", good.address))
    async with asyncio.timeout(10):
        while not endpoint(router).aside_until:
            assert (await router.ask(POST)).status == 200
    back = await make_origin(name="back", port=port)
    async with asyncio.timeout(10):
        while endpoint(router).aside_until:
            await asyncio.sleep(0.02)
    assert router.edge.metrics.readmissions == 1
    async with asyncio.timeout(10):
        while not back.requests:
            assert (await router.ask(POST)).status == 200
    assert not endpoint(router).trial


async def test_a_health_path_takes_an_instance_back_when_it_says_so(
    make_router: MakeRouter, make_origin: MakeOrigin
) -> None:
    ill, probes = [True], []

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            request = await read_message(reader)
            if request.first.startswith("GET /health "):
                probes.append(request)
            writer.write(status(503) if ill[0] else OK)

    bad, good = await make_origin(script=script), await make_origin()
    router = await make_router()
    router.put(route("app.test", rules={"health": {"path": "/health", "streak": 1}}))
    router.put(endpoints("rel_1", bad.address, good.address))
    async with asyncio.timeout(10):
        while len(probes) < 2:
            assert (await router.ask(GET)).status in (200, 503)
            await asyncio.sleep(0.01)
    assert endpoint(router).aside_until
    assert (probes[0]["host"], probes[0]["user-agent"]) == ("app.test", "shipoff-probe")
    ill[0] = False
    async with asyncio.timeout(15):
        while endpoint(router).aside_until:
            await asyncio.sleep(0.02)


async def test_what_leaves_the_table_is_probed_no_more(router: InProcess, origin: Origin) -> None:
    router.put(endpoints("rel_1", f"tcp:127.0.0.1:{free_port()}", origin.address))
    async with asyncio.timeout(10):
        while not router.edge.prober.aside():
            await router.ask(GET)
    router.put(endpoints("rel_1", origin.address))
    assert not router.edge.prober.aside()
    async with asyncio.timeout(5):
        while router.edge.prober._aside:
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """This process can open nothing any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


async def test_what_the_router_lacks_is_no_fault_of_an_instance(router: InProcess, make_origin: MakeOrigin) -> None:
    router.put(endpoints("rel_1", (await make_origin()).address, (await make_origin()).address))
    reader, writer = await router.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: nowhere.test\r\n\r\n")
    await read_message(reader)
    with no_descriptor_left():
        writer.write(GET)
        answer = await read_message(reader)
    assert (answer.status, answer["x-shipoff-error"]) == (503, "NO_CONNECTION")
    assert not router.edge.metrics.ejections
    assert router.edge.upstreams == 0
    writer.write(GET)
    assert (await read_message(reader)).status == 200
    writer.close()
