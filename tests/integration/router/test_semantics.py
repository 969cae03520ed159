"""What RFC 9110 and 9112 ask of an intermediary for requests, with the bytes of both sides looked at."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.router.wire import InProcess, Origin, endpoints, read_message, route
from tests.strict import read_requests

MakeOrigin = Callable[..., Awaitable[Origin]]
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def head(first: str, *lines: str, host: str = "app.test") -> bytes:
    return "\r\n".join([first, f"Host: {host}", *lines, "", ""]).encode("latin-1")


# --- requests that are right, however odd they look ------------------------------------------------------------------

TARGETS = [
    *(
        "/",
        "//",
        "/a//b/",
        "/a/../b",
        "/%2e%2e/%00%ff",
        "/;p=1?q?r/../s",
        "/?",
        "/?%",
        '/"<>\\^`{|}',
        "/a:b@c",
        "/!$&'()*+,;=~",
    ),
    "/" + "a" * 16383,
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:20])
async def test_a_target_arrives_as_it_was_sent(router: InProcess, origin: Origin, target: str) -> None:
    assert (await router.ask(head(f"GET {target} HTTP/1.1"))).status == 200
    assert origin.requests[0].first == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize("method", ["PATCH", "M-SEARCH", "get", "PROPFIND", "QUERY", "!#$%&'*+.^_`|~09-", "A" * 20])
async def test_a_method_arrives_as_it_was_sent(router: InProcess, origin: Origin, method: str) -> None:
    assert (await router.ask(head(f"{method} /x HTTP/1.1"))).status == 200
    assert origin.requests[0].first == f"{method} /x HTTP/1.1"


LINES = [
    *("X:", "X: ", "X:1", "X:\t1\t", "X: a  b", "X: \xe9\xff\x80", "X-A.b_c~|: 1", "x: 1", 'X: "a\\"b, c"', "1: 2"),
    *("Accept: */*;q=0.1,text/html", "X: chunked\tTransfer-Encoding: 1", "Cookie: a=b; c=d"),
    "X: " + "v" * 30_000,
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:20])
async def test_a_header_line_arrives_as_it_was_sent(router: InProcess, origin: Origin, line: str) -> None:
    assert (await router.ask(head("GET / HTTP/1.1", "A: 1", line, "B: 2"))).status == 200
    assert f"\r\nA: 1\r\n{line}\r\nB: 2\r\n".encode("latin-1") in origin.requests[0].raw


async def test_thousands_of_headers_arrive_in_their_order(router: InProcess, origin: Origin) -> None:
    lines = [f"x{n % 7}:{n}" for n in range(3000)]
    assert (await router.ask(head("GET / HTTP/1.1", *lines))).status == 200
    assert ("\r\n".join(lines) + "\r\n").encode() in origin.requests[0].raw


async def test_a_head_may_be_as_large_as_the_limit_and_no_larger(router: InProcess) -> None:
    room = 32768 - len(head("GET / HTTP/1.1", "X: "))
    assert (await router.ask(head("GET / HTTP/1.1", "X: " + "v" * room))).status == 200
    assert (await router.ask(head("GET / HTTP/1.1", "X: " + "v" * (room + 1)))).status == 431


@pytest.mark.parametrize(
    ("listed", "sent"),
    [
        ("app.test", ["APP.test", "app.test.", "app.test:", "app.test:80", "app.test:65535", "\tapp.test\t"]),
        ("[::1]", ["[::1]", "[::1]:8080"]),
        ("127.0.0.1", ["127.0.0.1", "127.0.0.1:8080"]),
        ("*.app.test", ["x.app.test", "a.b.app.test:1", "X.APP.TEST."]),
    ],
)
async def test_hosts_are_known_in_every_right_spelling(router: InProcess, listed: str, sent: list[str]) -> None:
    router.put(route(listed))
    for host in sent:
        assert (await router.ask(head("GET / HTTP/1.1", host=host))).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "u@app.test",
            "app.test/",
            "app.test app.test",
            "app.test,app.test",
            "app.test:8a",
            "app.test:80:80",
            "a\xe9",
        ),
        *("[::1", "::1", "[::1]x", "%61pp.test", "app..test", ":80", ".", "http://app.test", "app.test?x", "app.test#"),
    ],
)
@pytest.mark.parametrize("target", ["/", "http://app.test/"])
async def test_what_is_no_host_is_refused(router: InProcess, origin: Origin, host: str, target: str) -> None:
    raw = await router.talk(head(f"GET {target} HTTP/1.1", host=host) + GET)
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert len(re.findall(rb"HTTP/1.1 [0-9]", raw)) == 1
    assert not origin.requests


@pytest.mark.parametrize(
    ("first", "forwarded", "host"),
    [
        ("GET http://app.test/a?b HTTP/1.1", "GET /a?b HTTP/1.1", "app.test"),
        ("GET HTTP://App.Test:8080 HTTP/1.1", "GET / HTTP/1.1", "App.Test:8080"),
        ("GET http://app.test?b HTTP/1.1", "GET /?b HTTP/1.1", "app.test"),
        ("GET https://app.test/x@y HTTP/1.1", "GET /x@y HTTP/1.1", "app.test"),
        ("OPTIONS http://app.test HTTP/1.1", "OPTIONS * HTTP/1.1", "app.test"),
        ("OPTIONS http://app.test/ HTTP/1.1", "OPTIONS / HTTP/1.1", "app.test"),
    ],
)
async def test_an_absolute_target_replaces_the_host(
    router: InProcess, origin: Origin, first: str, forwarded: str, host: str
) -> None:
    assert (await router.ask(head(first, host="other.test"))).status == 200
    assert (origin.requests[0].first, origin.requests[0]["host"]) == (forwarded, host)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        *(
            (head(f"GET / {version}"), 400)
            for version in (
                "http/1.1",
                "HTTP/1.1 ",
                "HTTP/11",
                "HTTP/1.1\t",
                "HTTP /1.1",
                "HTTP/1",
                "HTTP/2",
                "HTTP/01.1",
            )
        ),
        *((head(f"GET / {version}"), 505) for version in ("HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/1.2")),
        *(
            (head(f"GET {target} HTTP/1.1"), 400)
            for target in ("", "*", "a", "/\x80", "/\x7f", "/\t", "?x", "ftp://app.test/")
        ),
        *(
            (head(f"{first} / HTTP/1.1"), 400)
            for first in ("G(T", "", "G:T", "A" * 21, "A" * 100_000, "GET\t", '"GET"')
        ),
        (b" " + GET, 400),
        (b"\n" + GET, 400),
        (b"\r\n \r\n" + GET, 400),
        (b"GET / HTTP/1.1\r\n Host: app.test\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\tX: 1\r\nHost: app.test\r\n\r\n", 400),
        (head("GET / HTTP/1.1", "X: 1\x7f"), 400),
        (head("GET / HTTP/1.1", "X: 1\x1b"), 400),
        (head("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"), 501),
        (head("POST / HTTP/1.1", "Expect: 100-continue, x"), 417),
        (head("CONNECT / HTTP/1.1"), 405),
        (head("TRACE / HTTP/1.1"), 405),
    ],
)
async def test_what_is_wrong_or_not_spoken_here_ends_the_connection(
    router: InProcess, origin: Origin, raw: bytes, status: int
) -> None:
    answer = await router.talk(raw + GET)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert len(re.findall(rb"HTTP/1.1 [0-9]", answer)) == 1
    assert b"\r\nConnection: close\r\n" in answer
    assert not origin.requests


async def test_a_fault_in_the_middle_of_a_pipeline_ends_it_there(router: InProcess, origin: Origin) -> None:
    post = head("POST /1 HTTP/1.1", "Content-Length: 3") + b"abc"
    chunked = head("POST /2 HTTP/1.1", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\nX: 1\r\n\r\n"
    raw = await router.talk(post + chunked + GET + b"GET / HTTP/1.1\r\nHost : app.test\r\n\r\n" + GET)
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", raw)
    assert statuses == [b"200", b"200", b"200", b"400"]
    assert [r.first for r in origin.requests] == ["POST /1 HTTP/1.1", "POST /2 HTTP/1.1", "GET / HTTP/1.1"]


# --- what the app gets, octet for octet ------------------------------------------------------------------------------


async def test_what_an_app_gets_is_strictly_what_was_asked(router: InProcess, make_origin: MakeOrigin) -> None:
    got = bytearray()

    async def script(reader: Reader, writer: Writer) -> None:
        while data := await reader.read(65536):
            got.extend(data)
            for _ in range(data.count(b" HTTP/1.1\r\n")):
                writer.write(OK)

    router.put(endpoints("rel_1", (await make_origin(script=script)).address))
    asks = [
        head("GET /1 HTTP/1.1", "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Proxy-Connection: x"),
        head("POST /2 HTTP/1.1", "Content-Length:  03 ") + b"abc",
        head("POST /3 HTTP/1.1", "Transfer-Encoding:\tCHUNKED") + b"3;x=y\r\nabc\r\n00\r\nX-T: 1\r\n\r\n",
        head("GET /4 HTTP/1.0", "Connection: keep-alive"),
        head("GET http://app.test:8080/5 HTTP/1.1", host="x.test"),
        head("GET /6 HTTP/1.1", "TE: trailers", "Connection: TE, close"),
    ]
    reader, writer = await router.connect()
    for ask in asks:
        writer.write(ask)
        assert (await read_message(reader)).body == b"ok"
    writer.close()
    read = read_requests(bytes(got))
    assert [(r.target, r.body, r.trailers) for r in read] == [
        *((b"/1", b"", []), (b"/2", b"abc", []), (b"/3", b"abc", [(b"X-T", b"1")])),
        *((b"/4", b"", []), (b"/5", b"", []), (b"/6", b"", [])),
    ]
    assert [r.all(b"host") for r in read] == [[b"app.test"]] * 4 + [[b"app.test:8080"]] + [[b"app.test"]]
    assert [r.all(b"connection") for r in read] == [[]] * 5 + [[b"TE"]]
    assert all(not r.all(name) for r in read for name in (b"x-hop", b"keep-alive", b"proxy-connection"))


async def test_via_is_appended_and_not_replaced(router: InProcess, origin: Origin) -> None:
    await router.ask(head("GET / HTTP/1.1", "Via: 1.0 fred, 2 cf"))
    await router.ask(head("GET / HTTP/1.0"))
    assert origin.requests[0]["via"] == "1.0 fred, 2 cf, 1.1 shipoff"
    assert origin.requests[1]["via"] == "1.0 shipoff"
