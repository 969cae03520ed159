"""The response cache over real sockets: requests that share an answer, and answers that do not come whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kernel.tasks import spawn
from tests.integration.router.caching import OK, Gate, Make, answer, get, how, reset, until
from tests.integration.router.wire import InProcess, Origin, endpoints, read_message, route

# --- coalescing -------------------------------------------------------------------------------------------------------


def asking_now(router: InProcess) -> int:
    """Clients whose request has come."""
    return sum(client.request is not None for client in router.edge.clients)


async def test_requests_for_one_key_make_one_request(cached: InProcess, make_origin: Make) -> None:
    gate = Gate(answer(b"x" * 10, "Cache-Control: max-age=60")[:-5], b"xxxxx")
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    asking = [spawn(cached.ask(get()), "test.ask") for _ in range(20)]
    await until(lambda: asking_now(cached) == 20)
    gate.begin.set()
    await until(lambda: cached.edge.metrics.cache_coalesced == 19)
    gate.end.set()
    answers = await asyncio.gather(*asking)
    assert [a.body for a in answers] == [b"x" * 10] * 20
    assert gate.requests == 1
    assert sum("collapsed" in how(a) for a in answers) == 19


async def test_waiters_go_alone_when_it_cannot_be_stored(cached: InProcess, make_origin: Make) -> None:
    gate = Gate(answer(b"mine", "Cache-Control: private"), b" ")
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    gate.end.set()
    gate.second = b""
    asking = [spawn(cached.ask(get()), "test.ask") for _ in range(5)]
    await until(lambda: asking_now(cached) == 5)
    await until(lambda: gate.requests == 1)
    gate.begin.set()
    assert [a.body for a in await asyncio.gather(*asking)] == [b"mine"] * 5
    assert gate.requests == 5


async def test_nobody_waits_longer_than_the_bound(
    make_router: Callable[..., Awaitable[InProcess]], make_origin: Make
) -> None:
    gate = Gate(answer(b"late", "Cache-Control: max-age=60"))
    cached = await make_router(cache_wait_s=0.1)
    cached.put(route("app.test", rules={"cache": {}}), endpoints("rel_1", (await make_origin(script=gate)).address))
    asking = [spawn(cached.ask(get()), "test.ask") for _ in range(3)]
    await until(lambda: gate.requests == 3)  # the two who waited have gone themselves
    gate.begin.set()
    gate.end.set()
    assert [a.body for a in await asyncio.gather(*asking)] == [b"late"] * 3


async def test_a_client_that_leaves_takes_nobody_with_it(cached: InProcess, make_origin: Make) -> None:
    gate = Gate(answer(b"hello", "Cache-Control: max-age=60"))
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    _, leaver = await cached.connect()
    leaver.write(get())
    await until(lambda: gate.requests == 1)
    asking = spawn(cached.ask(get()), "test.ask")
    await until(lambda: asking_now(cached) == 2)
    reset(leaver)
    await until(lambda: len(cached.edge.clients) == 1)
    gate.begin.set()
    gate.end.set()
    assert (await asking).body == b"hello"
    assert gate.requests == 1


async def test_an_answer_to_one_who_left_is_never_anothers(cached: InProcess, make_origin: Make) -> None:
    gate = Gate(answer(b"yours", "Cache-Control: private"))
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    _, leaver = await cached.connect()
    leaver.write(get("/", "Cookie: who=leaver"))
    await until(lambda: gate.requests == 1)
    asking = spawn(cached.ask(get("/", "Cookie: who=other")), "test.ask")
    await until(lambda: asking_now(cached) == 2)
    reset(leaver)
    await until(lambda: len(cached.edge.clients) == 1)
    gate.begin.set()
    gate.end.set()
    await asking
    assert gate.requests == 2


# --- answers that do not come whole -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    [
        OK + b"Cache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhalf",
        OK + b"Cache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        OK + b"Cache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nZZ\r\n",
    ],
)
async def test_half_an_answer_is_never_kept(cached: InProcess, make_origin: Make, piece: bytes) -> None:
    gate = Gate(piece)
    gate.begin.set()
    gate.end.set()
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    for _ in range(2):
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await cached.ask(get())
    assert gate.requests == 2
    assert cached.edge.responses is not None
    assert cached.edge.responses.gauges()["cache_objects"] == 0


async def test_chunks_are_kept_without_their_framing(cached: InProcess, make_origin: Make) -> None:
    gate = Gate(OK + b"Cache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"0\r\n\r\n")
    gate.begin.set()
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    reader, writer = await cached.connect()
    writer.write(get())
    assert b"5\r\nhello\r\n" in await reader.readuntil(b"hello\r\n")  # streams while it is stored
    gate.end.set()
    await reader.readuntil(b"0\r\n\r\n")
    writer.close()
    again = await cached.ask(get())
    assert (again.body, again["content-length"]) == (b"hello", "5")
    old = await cached.talk(get(version="1.0"))
    assert old.endswith(b"\r\n\r\nhello")
    assert gate.requests == 1


async def test_an_answer_that_grows_too_large_streams_on_and_is_not_kept(cached: InProcess, make_origin: Make) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    gate = Gate(OK + b"Cache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 40, b"0\r\n\r\n")
    gate.begin.set()
    gate.end.set()
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    for _ in range(2):
        assert len((await cached.ask(get())).body) == 40 * 65536
    assert gate.requests == 2


async def test_a_slow_reader_of_an_unstorable_answer_slows_the_app(cached: InProcess, make_origin: Make) -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_message(reader)
        writer.write(OK + b"Cache-Control: no-store\r\nContent-Length: 100000000\r\n\r\n")
        while sent < 100_000_000:
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    cached.put(endpoints("rel_1", (await make_origin(script=script)).address))
    reader, writer = await cached.connect()
    writer.write(get())
    before = -1
    while sent != before:
        before = sent
        await asyncio.sleep(0.3)
    assert sent < 50_000_000
    assert len((await read_message(reader)).body) == 100_000_000
    writer.close()


async def test_interim_answers_pass(cached: InProcess, make_origin: Make) -> None:
    gate = Gate(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b"hello", "Cache-Control: max-age=60"))
    gate.begin.set()
    gate.end.set()
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    raw = await cached.talk(get("/", "Connection: close"))
    assert raw.startswith(b"HTTP/1.1 103 ")
    assert b"HTTP/1.1 200 OK" in raw
    assert not (await cached.talk(get("/", "Connection: close"))).startswith(b"HTTP/1.1 103")


async def test_nothing_is_left_when_all_is_over(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    await asyncio.gather(*(cached.ask(get(f"/{i % 7}")) for i in range(50)))
    await until(lambda: not cached.edge.clients)
    assert cached.edge.in_flight == 0
    (endpoint,) = cached.edge.table.releases["rel_1"].endpoints
    assert endpoint.in_flight == 0
    assert cached.edge.responses is not None
    assert cached.edge.responses.idle


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_any_split_of_the_answer_is_kept_alike(cached: InProcess, make_origin: Make, size: int) -> None:
    whole = (
        OK
        + b"Cache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    )

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        for at in range(0, len(whole), size):
            writer.write(whole[at : at + size])
            await asyncio.sleep(0)

    cached.put(endpoints("rel_1", (await make_origin(script=script)).address))
    assert (await cached.ask(get())).body == b"hello world"
    again = await cached.ask(get())
    assert (again.body, how(again)[:12]) == (b"hello world", "shipoff; hit")


async def test_the_app_learns_of_the_client_as_without_a_cache(cached: InProcess, origin: Origin) -> None:
    cached.put(route("plain.test"))
    origin.answer = answer(b"hello")
    lines = ("X-Request-Id: abcdefgh", "Accept: a/b", "X-Forwarded-For: 9.9.9.9")
    await cached.ask(get("/", *lines))
    await cached.ask(get("/", *lines, host="plain.test"))
    seen = [[(name, value) for name, value in request.headers if name != "host"] for request in origin.requests]
    assert seen[0] == seen[1]
    assert ("x-forwarded-for", "127.0.0.1") in seen[0]


async def test_an_event_stream_is_not_held_back(cached: InProcess, make_origin: Make) -> None:
    gate = Gate(OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\na\n\n\r\n")
    gate.begin.set()
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    for _ in range(2):  # once by way of a fetch, once past it
        gate.end.clear()
        reader, writer = await cached.connect()
        writer.write(get())
        assert b"text/event-stream" in await reader.readuntil(b"\r\n\r\n")
        gate.end.set()
        assert await reader.readuntil(b"a\n\n\r\n") == b"3\r\na\n\n\r\n"
        writer.close()


async def test_a_304_that_the_cache_did_not_ask_for_is_as_without_it(cached: InProcess, origin: Origin) -> None:
    origin.answer = b'HTTP/1.1 304 Not Modified\r\nETag: "v"\r\n\r\n'
    assert (await cached.ask(get("/", 'If-None-Match: "v"'))).status == 304
    assert origin.requests[-1]["if-none-match"] == '"v"'
    assert cached.edge.responses is not None
    assert cached.edge.responses.gauges()["cache_objects"] == 0


async def test_what_was_found_uncacheable_passes_with_its_conditions(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"mine", "Cache-Control: private", 'ETag: "v"')
    await cached.ask(get())
    assert "detail=uncacheable" in how(await cached.ask(get("/", 'If-None-Match: "v"')))
    assert origin.requests[-1]["if-none-match"] == '"v"'


async def test_it_is_looked_at_again_when_it_may_have_become_cacheable(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"mine", "Cache-Control: private")
    await cached.ask(get())
    origin.answer = answer(b"all", "Cache-Control: max-age=60")
    async with asyncio.timeout(10):
        while "hit" not in how(await cached.ask(get())):
            await asyncio.sleep(0.05)


async def test_a_purge_is_not_undone_by_what_is_on_its_way(cached: InProcess, make_origin: Make) -> None:
    gate = Gate(answer(b"old", "Cache-Control: max-age=60"))
    cached.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    asking = spawn(cached.ask(get()), "test.ask")
    await until(lambda: gate.requests == 1)
    assert cached.edge.responses is not None
    cached.edge.responses.purge(b"happ.test")
    gate.begin.set()
    gate.end.set()
    assert (await asking).body == b"old"
    assert "miss" in how(await cached.ask(get()))


async def test_a_release_that_changes_meanwhile_leaves_nothing_under_the_old_key(
    cached: InProcess, make_origin: Make, origin: Origin
) -> None:
    gate = Gate(b"")  # closes without an answer, so that the request is sent again
    gate.begin.set()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(answer(b"first"))
        await read_message(reader)
        cached.put(route("app.test", "rel_2", project="prj_1", version=9, rules={"cache": {}}))
        cached.put(endpoints("rel_2", origin.address))

    cached.put(endpoints("rel_1", (await make_origin(script=script)).address))
    origin.answer = answer(b"new", "Cache-Control: max-age=60")
    assert (await cached.ask(get("/warm"))).body == b"first"
    assert (await cached.ask(get())).body == b"new"
    cached.put(route("app.test", "rel_1", project="prj_1", version=10, rules={"cache": {}}))
    cached.put(endpoints("rel_1", origin.address))
    assert "miss" in how(await cached.ask(get()))
