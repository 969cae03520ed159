"""The rules of routes over real sockets: who is let in, and what is done to requests and answers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from router.core.passwords import scrypt_text, sha256_text
from tests.integration.router.wire import InProcess, Message, Origin, endpoints, read_message, reset, route

MakeRouter = Callable[..., Awaitable[InProcess]]
MakeOrigin = Callable[..., Awaitable[Origin]]
HERE = ["127.0.0.0/8"]
ELSEWHERE = ["192.0.2.0/24"]


def get(path: str = "/", *lines: str, host: str = "app.test") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


def post(size: int, *lines: str) -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: app.test", f"Content-Length: {size}", *lines, "", ""]).encode()


def basic(text: str) -> str:
    return "Authorization: Basic " + base64.b64encode(text.encode()).decode()


def rule(router: InProcess, **rules: Any) -> None:
    router.put(route("app.test", rules=rules))


def told(answer: Message) -> tuple[int, str]:
    return answer.status, answer["x-shipoff-error"]


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"allow": HERE}, 200),
        ({"allow": ELSEWHERE}, 403),
        ({"deny": HERE}, 403),
        ({"deny": ELSEWHERE}, 200),
        ({"allow": HERE, "deny": ["127.0.0.1"]}, 403),
    ],
)
async def test_addresses_are_let_in_or_not(
    router: InProcess, origin: Origin, rules: dict[str, Any], status: int
) -> None:
    rule(router, **rules)
    answer = await router.ask(get())
    assert told(answer) == (status, "" if status == 200 else "ADDRESS_REFUSED")
    assert len(origin.requests) == (status == 200)


# --- https ------------------------------------------------------------------------------------------------------------


async def test_plain_requests_are_sent_to_https(make_router: MakeRouter, origin: Origin) -> None:
    router = await make_router(trusted="127.0.0.1/32")
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    rule(router, https={"hsts_s": 60})
    answer = await router.ask(get("/a?b", host="App.test:8080"))
    assert (answer.status, answer["location"]) == (308, "https://app.test/a?b")
    assert not answer["strict-transport-security"]
    answer = await router.ask(get("/a", "X-Forwarded-Proto: https"))
    assert (answer.status, answer["strict-transport-security"]) == (200, "max-age=60")
    assert (await router.ask(get("/.well-known/acme-challenge/x"))).status == 200
    assert (await router.ask(get("/.well-known/acme-challenge/../../x"))).status == 308
    assert (await router.ask(b"OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n")).status == 200


async def test_a_stranger_cannot_claim_https(router: InProcess) -> None:
    rule(router, https={})
    assert (await router.ask(get("/", "X-Forwarded-Proto: https"))).status == 308


# --- maintenance ------------------------------------------------------------------------------------------------------


async def test_maintenance_is_for_all_but_a_few(router: InProcess, origin: Origin) -> None:
    rule(router, maintenance={"message": "back at <noon>", "retry_after_s": 77, "allow": ELSEWHERE})
    answer = await router.ask(get("/", "Accept: text/html"))
    assert told(answer) == (503, "MAINTENANCE")
    assert answer["retry-after"] == "77"
    assert b"Back at &lt;noon&gt;" in answer.body
    rule(router, maintenance={"allow": HERE})
    assert (await router.ask(get())).status == 200
    assert len(origin.requests) == 1


# --- rate -------------------------------------------------------------------------------------------------------------


async def test_a_burst_is_let_through_and_no_more(router: InProcess, origin: Origin) -> None:
    rule(router, rate_limit={"requests": 1, "per_s": 1000, "burst": 3})
    reader, writer = await router.connect()
    writer.write(get() * 5)
    answers = [await read_message(reader) for _ in range(5)]
    writer.close()
    assert [told(a) for a in answers] == [(200, "")] * 3 + [(429, "RATE_LIMITED")] * 2
    assert 900 < int(answers[-1]["retry-after"]) <= 1000
    assert len(origin.requests) == 3


async def test_the_rate_is_kept_between_two_beats_of_the_coarse_clock(router: InProcess) -> None:
    rule(router, rate_limit={"requests": 1000, "burst": 1})
    router.edge.tick = lambda: None  # type: ignore[method-assign]
    seen = set()
    for _ in range(5):
        seen.add((await router.ask(get())).status)
        await asyncio.sleep(0.002)
    assert seen == {200}


async def test_clients_can_be_told_apart_by_a_header(router: InProcess) -> None:
    rule(router, rate_limit={"requests": 1, "per_s": 1000, "by": "header:X-Key"})
    seen = [
        (await router.ask(get("/", *lines))).status
        for lines in (["X-Key: a"], ["X-Key: a"], ["x-key: b"], [], [], ["X-Key: 127.0.0.1"])
    ]
    assert seen == [200, 429, 200, 200, 429, 200]


# --- size of the body -------------------------------------------------------------------------------------------------


async def test_a_body_that_says_it_is_too_large_is_refused_at_once(router: InProcess, origin: Origin) -> None:
    rule(router, max_body=10)
    assert (await router.ask(post(10) + b"x" * 10)).status == 200
    for expects in ((), ("Expect: 100-continue",)):
        answer = await router.ask(post(11, *expects))
        assert told(answer) == (413, "CONTENT_TOO_LARGE")
        assert answer["connection"] == "close"
    assert len(origin.requests) == 1


async def test_a_chunked_body_is_refused_when_it_grows_too_large(router: InProcess, origin: Origin) -> None:
    rule(router, max_body=10)
    head = b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await router.ask(head + b"5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n")).status == 200
    reader, writer = await router.connect()
    writer.write(head + b"5\r\nhello\r\n")
    while not origin.open:
        await asyncio.sleep(0.01)
    writer.write(b"6\r\n")  # the announcement is enough
    assert told(await read_message(reader)) == (413, "CONTENT_TOO_LARGE")
    writer.close()
    assert len(origin.requests) == 1


# --- passwords --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [sha256_text, lambda text: scrypt_text(text, ln=4)], ids=["sha256", "scrypt"])
async def test_a_password_stands_in_front_of_a_site(router: InProcess, origin: Origin, make: Any) -> None:
    rule(router, basic_auth={"realm": "staging", "users": {"ann": make("s:ecret")}})
    for lines in ([], [basic("ann:wrong")], [basic("eve:s:ecret")], ["Authorization: Bearer x"]):
        for _ in range(2):  # the second is remembered
            answer = await router.ask(get("/", *lines))
            assert told(answer) == (401, "AUTHENTICATION_REQUIRED")
            assert answer["www-authenticate"] == 'Basic realm="staging", charset="UTF-8"'
    for _ in range(2):
        assert (await router.ask(get("/", basic("ann:s:ecret"), "Authorization: Basic other"))).status == 200
    assert not any(r["authorization"] for r in origin.requests)
    assert len(origin.requests) == 2


async def test_bodies_and_pipelined_requests_wait_for_a_slow_password(router: InProcess, origin: Origin) -> None:
    rule(router, basic_auth={"users": {"ann": scrypt_text("a", ln=4)}})
    reader, writer = await router.connect()
    writer.write(post(6, basic("ann:a")) + b"abc")
    await asyncio.sleep(0)
    writer.write(b"def" + get("/2", basic("ann:a")) + get("/3", basic("ann:b")) + get("/4"))
    assert [(await read_message(reader)).status for _ in range(4)] == [200, 200, 401, 401]
    assert [r.body for r in origin.requests] == [b"abcdef", b""]
    writer.close()


async def test_a_client_that_leaves_while_its_password_is_checked_leaves_nothing(router: InProcess) -> None:
    rule(router, basic_auth={"users": {"ann": scrypt_text("a", ln=12)}})
    for _ in range(5):
        _, writer = await router.connect()
        writer.write(get("/", basic("ann:a")))
        await writer.drain()
        reset(writer)
    async with asyncio.timeout(10):
        while router.edge.clients or router.edge.guard.checking or router.edge.in_flight:
            await asyncio.sleep(0.01)
    assert (await router.ask(get("/", basic("ann:a")))).status == 200


# --- redirects and edits ----------------------------------------------------------------------------------------------


async def test_redirects_answer_every_spelling_of_their_path(router: InProcess, origin: Origin) -> None:
    rule(
        router,
        redirects=[
            {"from": "/old", "to": "/new", "status": 302},
            {"from": "/docs", "to": "https://docs.test/v2", "prefix": True},
        ],
    )
    seen = []
    for path in ("/old?a=1", "/x/../%6fld", "/docs/a%20b//c?q", "/docsy", "/other"):
        answer = await router.ask(get(path))
        seen.append((answer.status, answer["location"]))
    assert seen == [
        (302, "/new?a=1"),
        (302, "/new"),
        (308, "https://docs.test/v2/a%20b/c?q"),
        (200, ""),
        (200, ""),
    ]
    assert len(origin.requests) == 2


async def test_headers_are_edited_both_ways(router: InProcess, origin: Origin) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nServer: secret\r\nX-Frame-Options: ALLOW\r\nContent-Length: 0\r\n\r\n"
    rule(
        router,
        request_headers={"set": {"X-Env": "staging"}, "remove": ["Cookie"]},
        response_headers={"set": {"X-Frame-Options": "DENY"}, "remove": ["Server"]},
    )
    answer = await router.ask(get("/", "X-Env: mine", "X_Env: twin", "Cookie: a=b"))
    assert (answer["x-frame-options"], answer["server"]) == ("DENY", "")
    request = origin.requests[0]
    assert (request["x-env"], request["x_env"], request["cookie"]) == ("staging", "", "")


async def test_answers_of_the_routers_own_are_edited_too(router: InProcess) -> None:
    rule(router, response_headers={"set": {"X-Frame-Options": "DENY"}}, deny=HERE)
    answer = await router.ask(get())
    assert (answer.status, answer["x-frame-options"]) == (403, "DENY")


# --- waits ------------------------------------------------------------------------------------------------------------


async def test_a_route_has_waits_of_its_own(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_message(reader)
        if "/stall" in request.first:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await reader.read(-1)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    rule(router, timeouts={"answer_s": 0.2, "body_s": 0.2, "stream_s": 0.2})
    assert told(await router.ask(get())) == (504, "UPSTREAM_TIMEOUT")
    assert told(await router.ask(post(10) + b"abc")) == (408, "CLIENT_TIMEOUT")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await router.ask(get("/stall"))


# --- together ---------------------------------------------------------------------------------------------------------


async def test_rules_are_asked_in_their_order(router: InProcess, origin: Origin) -> None:
    every: dict[str, Any] = {
        "deny": HERE,
        "https": {},
        "maintenance": {},
        "rate_limit": {"requests": 0.001, "burst": 1},
        "max_body": 0,
        "basic_auth": {"users": {"ann": sha256_text("a")}},
        "redirects": [{"from": "/", "to": "/away"}],
    }
    rule(router, rate_limit=every["rate_limit"])
    assert (await router.ask(post(1) + b"x")).status == 200  # the one request that the rate lets through
    seen = []
    for name in list(every):
        rule(router, **every)
        seen.append((await router.ask(post(1) + b"x")).status)
        del every[name]
    rule(router, response_headers={"remove": ["Server"]})
    assert seen == [403, 308, 503, 429, 413, 401, 308]
    assert (await router.ask(get())).status == 200


async def test_a_retry_asks_no_rule_again(router: InProcess, make_origin: MakeOrigin) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")  # and closes under the next request

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    rule(router, rate_limit={"requests": 0.001, "burst": 2}, concurrency={"limit": 1})
    assert [(await router.ask(get())).status for _ in range(3)] == [200, 200, 429]
    assert router.edge.metrics.retries == 1
