"""The response cache over real sockets: what reaches the app, and what clients get."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.router.caching import Make, answer, get, how, until
from tests.integration.router.wire import InProcess, Origin, endpoints, read_message, route

# --- hits -------------------------------------------------------------------------------------------------------------


async def test_the_second_request_does_not_reach_the_app(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"hello", "Cache-Control: max-age=60", "Cache-Tag: a, b", "X-Request-Id: theirs")
    first, second = await cached.ask(get()), await cached.ask(get())
    assert len(origin.requests) == 1
    assert (first.status, first.body) == (second.status, second.body) == (200, b"hello")
    assert how(first) == "shipoff; fwd=uri-miss; stored"
    assert how(second) in ("shipoff; hit; ttl=59", "shipoff; hit; ttl=58")
    assert second["age"] in ("0", "1")
    assert first["date"] == second["date"] != ""
    assert first["x-request-id"] != second["x-request-id"]
    assert "theirs" not in second["x-request-id"]
    assert first["cache-tag"] == second["cache-tag"] == ""


async def test_hits_go_on_one_connection_and_pipelined(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    reader, writer = await cached.connect()
    writer.write(get() * 5)
    answers = [await read_message(reader) for _ in range(5)]
    writer.close()
    assert [a.body for a in answers] == [b"hello"] * 5
    assert len(origin.requests) == 1


async def test_a_route_without_the_rule_is_not_cached(cached: InProcess, origin: Origin) -> None:
    cached.put(route("plain.test"))
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    for _ in range(2):
        assert how(await cached.ask(get(host="plain.test"))) == ""
    assert len(origin.requests) == 2


async def test_a_head_is_answered_from_a_stored_get(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    await cached.ask(get())
    head = await cached.ask(get(method="HEAD"), bodiless=True)
    assert (head.status, head["content-length"], head.body) == (200, "5", b"")
    assert len(origin.requests) == 1


async def test_parts_come_from_the_whole_that_is_stored(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"0123456789", "Cache-Control: max-age=60", 'ETag: "v1"')
    await cached.ask(get())
    part = await cached.ask(get("/", "Range: bytes=2-4"))
    assert (part.status, part.body, part["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert (await cached.ask(get("/", "Range: bytes=-3"))).body == b"789"
    assert (await cached.ask(get("/", "Range: bytes=2-4", 'If-Range: "v1"'))).status == 206
    assert (await cached.ask(get("/", "Range: bytes=2-4", 'If-Range: "v0"'))).status == 200
    assert (await cached.ask(get("/", "Range: bytes=2-4", 'If-Range: W/"v1"'))).status == 200
    beyond = await cached.ask(get("/", "Range: bytes=20-"))
    assert (beyond.status, beyond["content-range"]) == (416, "bytes */10")
    assert len(origin.requests) == 1


async def test_a_part_is_asked_of_the_app_and_never_stored(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"234", "Cache-Control: max-age=60", "Content-Range: bytes 2-4/10", status="206 Partial")
    for _ in range(2):
        assert (await cached.ask(get("/", "Range: bytes=2-4"))).status == 206
    assert len(origin.requests) == 2
    assert origin.requests[0]["range"] == "bytes=2-4"


async def test_a_client_with_the_current_copy_gets_304(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(
        b"hello", "Cache-Control: max-age=60", 'ETag: "v1"', "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT"
    )
    on_miss = await cached.ask(get("/", 'If-None-Match: W/"v1"'))
    assert (on_miss.status, on_miss["etag"], on_miss.body) == (304, '"v1"', b"")
    assert origin.requests[0]["if-none-match"] == ""  # the whole was asked for, and is kept
    assert (await cached.ask(get("/", 'If-None-Match: "v0", "v1"'))).status == 304
    assert (await cached.ask(get("/", 'If-None-Match: "v2"'))).body == b"hello"
    assert (await cached.ask(get("/", "If-Modified-Since: Tue, 15 Nov 1994 12:45:26 GMT"))).status == 304
    assert (await cached.ask(get("/", "If-Modified-Since: Mon, 14 Nov 1994 12:45:26 GMT"))).status == 200
    assert len(origin.requests) == 1


async def test_a_large_answer_comes_whole_from_the_store_to_a_slow_client(cached: InProcess, origin: Origin) -> None:
    body = bytes(range(256)) * 3000
    origin.answer = answer(body, "Cache-Control: max-age=60")
    await cached.ask(get())
    reader, writer = await cached.connect()
    writer.write(get())
    await asyncio.sleep(0.05)
    busy = [client for client in cached.edge.clients if client.request is not None]
    assert all(client.transport.get_write_buffer_size() < 300_000 for client in busy)
    assert (await read_message(reader)).body == body
    writer.close()
    assert len(origin.requests) == 1


# --- what is kept, and for whom ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["Cache-Control: no-store, max-age=60"],
        ["Cache-Control: private, max-age=60"],
        ["Cache-Control: max-age=60", "Set-Cookie: a=b"],
        ["Cache-Control: max-age=60", "Vary: *"],
        ["Cache-Control: max-age=60", "Vary: X-Request-Id"],
        ["Cache-Control: max-age=0"],
        ["Cache-Control: max-age=60, max-age=0"],
        ["Cache-Control: max-age=abc"],
        [],
    ],
)
async def test_it_is_not_stored(cached: InProcess, origin: Origin, lines: list[str]) -> None:
    origin.answer = answer(b"hello", *lines)
    for _ in range(2):
        got = await cached.ask(get())
        assert got.body == b"hello"
        assert "stored" not in how(got)
    assert len(origin.requests) == 2


async def test_authorized_requests_pass_by_default(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"secret", "Cache-Control: public, max-age=60")
    assert how(await cached.ask(get("/", "Authorization: Bearer x"))) == "shipoff; fwd=bypass"
    await cached.ask(get())
    assert how(await cached.ask(get("/", "Authorization: Bearer x"))) == "shipoff; fwd=bypass"
    assert len(origin.requests) == 3


async def test_authorized_answers_are_shared_only_when_the_app_and_the_rule_say_so(
    cached: InProcess, origin: Origin
) -> None:
    cached.put(route("app.test", rules={"cache": {"authorization": True}}))
    origin.answer = answer(b"secret", "Cache-Control: max-age=60")
    for _ in range(2):
        await cached.ask(get("/a", "Authorization: Bearer x"))
    assert len(origin.requests) == 2
    origin.answer = answer(b"shared", "Cache-Control: s-maxage=60")
    await cached.ask(get("/b", "Authorization: Bearer x"))
    assert how(await cached.ask(get("/b", "Authorization: Bearer y"))).startswith("shipoff; hit")


async def test_variants_are_told_apart_and_equal_spellings_match(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"zipped", "Cache-Control: max-age=60", "Vary: Accept-Encoding")
    await cached.ask(get("/", "Accept-Encoding: gzip, br"))
    assert (await cached.ask(get("/", "Accept-Encoding: br,GZIP"))).body == b"zipped"
    origin.answer = answer(b"plain", "Cache-Control: max-age=60", "Vary: Accept-Encoding")
    assert how(await cached.ask(get())) == "shipoff; fwd=vary-miss; stored"
    assert (await cached.ask(get())).body == b"plain"
    assert (await cached.ask(get("/", "Accept-Encoding: gzip, br"))).body == b"zipped"
    assert len(origin.requests) == 2


async def test_hosts_projects_and_releases_never_meet(cached: InProcess, origin: Origin, make_origin: Make) -> None:
    other = await make_origin(answer=answer(b"other", "Cache-Control: max-age=60"))
    origin.answer = answer(b"one", "Cache-Control: max-age=60")
    cached.put(route("b.test", "rel_2", project="prj_2", rules={"cache": {}}), endpoints("rel_2", other.address))
    assert (await cached.ask(get())).body == b"one"
    assert (await cached.ask(get(host="b.test"))).body == b"other"
    cached.put(route("app.test", "rel_2", project="prj_1", rules={"cache": {}}))
    assert (await cached.ask(get())).body == b"other"  # the new release answers at once
    cached.put(route("app.test", "rel_1", project="prj_1", rules={"cache": {}}))
    assert (await cached.ask(get())).body == b"one"  # rolled back: what was stored for it
    assert len(origin.requests) == 1


async def test_the_rule_chooses_what_of_the_query_counts(cached: InProcess, origin: Origin) -> None:
    cached.put(route("app.test", rules={"cache": {"query": {"ignore": ["utm_*"], "sort": True}}}))
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    await cached.ask(get("/?b=2&a=1&utm_source=x"))
    assert how(await cached.ask(get("/?a=1&b=2"))).startswith("shipoff; hit")
    assert "miss" in how(await cached.ask(get("/?a=1&b=3")))


# --- revalidation -----------------------------------------------------------------------------------------------------


async def test_a_stale_answer_is_revalidated_and_its_headers_updated(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"hello", "Cache-Control: no-cache", 'ETag: "v1"', "X-Seen: 1")
    await cached.ask(get())
    origin.answer = b'HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nETag: "v1"\r\nX-Seen: 2\r\n\r\n'
    second, third = await cached.ask(get()), await cached.ask(get())
    assert origin.requests[1]["if-none-match"] == '"v1"'
    assert (second.status, second.body, second["x-seen"]) == (200, b"hello", "2")
    assert how(second) == "shipoff; fwd=stale; fwd-status=304; stored"
    assert how(third).startswith("shipoff; hit; ttl=")
    assert len(origin.requests) == 2


async def test_a_304_about_something_else_makes_it_ask_for_the_whole(cached: InProcess, make_origin: Make) -> None:
    answers = [
        answer(b"old", "Cache-Control: no-cache", 'ETag: "v1"'),
        b'HTTP/1.1 304 Not Modified\r\nETag: "v2"\r\n\r\n',
        answer(b"new", "Cache-Control: no-cache", 'ETag: "v2"'),
    ]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers:
            await read_message(reader)
            writer.write(answers.pop(0))

    cached.put(endpoints("rel_1", (await make_origin(script=script)).address))
    assert (await cached.ask(get())).body == b"old"
    assert (await cached.ask(get())).body == b"new"


async def test_stale_while_revalidate_serves_and_asks_once(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"old", "Cache-Control: max-age=1, stale-while-revalidate=60", "Age: 30")
    await cached.ask(get())
    origin.answer = answer(b"new", "Cache-Control: max-age=60")
    stale = await asyncio.gather(*(cached.ask(get()) for _ in range(5)))
    assert {a.body for a in stale} <= {b"old", b"new"}
    assert stale[0].body == b"old"
    await until(lambda: len(origin.requests) == 2)
    async with asyncio.timeout(5):
        while (await cached.ask(get())).body != b"new":
            await asyncio.sleep(0.005)
    assert len(origin.requests) == 2


async def test_stale_if_error_stands_for_a_dead_app(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"old", "Cache-Control: max-age=1, stale-if-error=60", "Age: 30")
    await cached.ask(get())
    origin.answer = answer(b"broken", status="503 Service Unavailable")
    assert (await cached.ask(get())).body == b"old"
    await origin.stop()
    assert (await cached.ask(get())).body == b"old"
    assert (await cached.ask(get("/other"))).status == 502


async def test_without_leave_a_dead_app_is_told(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"old", "Cache-Control: max-age=1", 'ETag: "v"', "Age: 30")
    await cached.ask(get())
    await origin.stop()
    assert (await cached.ask(get())).status == 502


async def test_only_if_cached_never_asks(cached: InProcess, origin: Origin) -> None:
    refused = await cached.ask(get("/", "Cache-Control: only-if-cached"))
    assert (refused.status, refused["x-shipoff-error"]) == (504, "NOT_CACHED")
    assert origin.requests == []


@pytest.mark.parametrize("line", ["Cache-Control: no-cache", "Cache-Control: max-age=0", "Pragma: no-cache"])
async def test_a_client_may_insist_on_a_new_answer(cached: InProcess, origin: Origin, line: str) -> None:
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    await cached.ask(get())
    assert "fwd=request" in how(await cached.ask(get("/", line)))
    assert len(origin.requests) == 2
    cached.put(route("app.test", project="prj_1", rules={"cache": {"client_directives": False}}))
    assert how(await cached.ask(get("/", line))).startswith("shipoff; hit")


# --- invalidation and purging -----------------------------------------------------------------------------------------


async def test_an_unsafe_request_that_works_invalidates(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    for path in ("/a", "/b", "/c"):
        await cached.ask(get(path))
    origin.answer = answer(b"", "Location: /b", "Content-Location: http://other.test/c", status="201 Created")
    await cached.ask(get("/a", "Content-Length: 0", method="POST"))
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    assert "miss" in how(await cached.ask(get("/a")))
    assert "miss" in how(await cached.ask(get("/b")))
    assert "hit" in how(await cached.ask(get("/c")))


async def test_an_unsafe_request_that_fails_does_not(cached: InProcess, origin: Origin) -> None:
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    await cached.ask(get())
    origin.answer = answer(b"", status="500 Internal Server Error")
    await cached.ask(get("/", "Content-Length: 0", method="DELETE"))
    assert "hit" in how(await cached.ask(get()))


async def test_purging_by_tag_host_and_project(cached: InProcess, origin: Origin) -> None:
    responses = cached.edge.responses
    assert responses is not None
    for group in (b"tprj_1\0page", b"happ.test", b"pprj_1", b"uapp.test\0/"):
        origin.answer = answer(b"hello", "Cache-Control: max-age=60", "Surrogate-Key: page other")
        await cached.ask(get())
        assert "hit" in how(await cached.ask(get()))
        assert responses.purge(group) == 1
        assert "miss" in how(await cached.ask(get()))
        responses.purge(group)
    assert responses.gauges()["cache_objects"] == 0
    assert responses.gauges()["cache_bytes"] == 0
