"""Whatever is forwarded, a strict and independent reader reads as exactly the one request that was routed.

Requests are made of fragments that smugglers use, and of good ones with octets changed; both forms of the readers
(their source, and compiled where that has been built) have to decide alike on every one of them.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreement import FORMS, Verdict, check, judge

NAMES = [
    *("Host", "Content-Length", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Expect", "Keep-Alive", "Trailer"),
    *("Content_Length", "Transfer_Encoding", "X-Forwarded-For", "Proxy-Connection", "Cookie", "Max-Forwards", "X"),
    *("content-length", "TRANSFER-ENCODING", " Host", "Content-Length ", "Transfer-Encoding\t", "", "X\x00", "\xe9"),
]
VALUES = [
    *("a.test", "b.test", "3", "0", "03", "+3", "-1", "3, 3", "3,", "0x3", "3 3", "99999999999999999999", "1e1"),
    *("chunked", "Chunked", " chunked", "xchunked", "chunked, chunked", "gzip, chunked", "chunked;a", "identity"),
    *("close", "keep-alive, x", "upgrade", "te", "host", "content-length", "transfer-encoding", ", ,"),
    *("websocket", "100-continue", "trailers", "", "\t3", "3\t", "\x0bchunked", "chunked\x00", "\xff", "1\r\n 2"),
    *("a\nContent-Length: 3", "a\rb", "a\r\nTransfer-Encoding: chunked"),
]
FIRST = [
    *("GET / HTTP/1.1", "POST /a?b HTTP/1.1", "GET http://b.test/ HTTP/1.1", "GET / HTTP/1.0", "OPTIONS * HTTP/1.1"),
    *("POST http://b.test HTTP/1.1", "GET /a b HTTP/1.1", "GET / HTTP/1.1 ", "GET  / HTTP/1.1", "get / HTTP/1.1"),
    *(
        "GET / http/1.1",
        "GET / HTTP/1.10",
        "GET / HTTP/2.0",
        "GET /\x80 HTTP/1.1",
        "GET /# HTTP/1.1",
        "G\tET / HTTP/1.1",
    ),
    *(
        "OPTIONS http://b.test HTTP/1.1",
        "GET http://u@b.test/ HTTP/1.1",
        "CONNECT b.test:1 HTTP/1.1",
        "\r\nGET / HTTP/1.1",
    ),
]
BODIES = [
    *(
        "",
        "abc",
        "3\r\nabc\r\n0\r\n\r\n",
        "3;a=b\r\nabc\r\n0\r\nX: 1\r\n\r\n",
        "3\r\nabc\r\n",
        "3\nabc\n0\n\n",
        "0\r\n\r\n",
    ),
    *(
        "3 \r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
    ),
    *(
        "3;\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "0\r\nContent-Length: 3\r\n\r\n",
        "00000\r\n\r\n",
        "0;a\r\n\r\n",
    ),
    *(
        "ffffffffffffffff\r\n",
        "3\r\nabc\r\r\n0\r\n\r\n",
        "A\r\n0123456789\r\n0\r\n\r\n",
        "3 ;a\r\nabc\r\n0\r\n\r\n",
        "\r\n",
    ),
]
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"

LINES = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from([": "] * 5 + [":", " : ", ":\t", ";"]),
    st.sampled_from(VALUES),
    st.sampled_from(["\r\n"] * 9 + ["\n", "\r", "\r\r\n"]),
).map("".join)
MADE = st.tuples(
    st.sampled_from(FIRST),
    st.sampled_from(["\r\nHost: a.test\r\n"] * 5 + ["\r\n", "\nHost: a.test\r\n"]),
    st.lists(LINES, max_size=4).map("".join),
    st.sampled_from(["\r\n"] * 9 + ["\n", "\r\n\r\n"]),
    st.sampled_from(BODIES),
    st.sampled_from(["", SMUGGLED]),
).map(lambda parts: "".join(parts).encode("latin-1"))

GOOD = [
    b"POST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nConnection: x, close\r\nX: 1\r\n\r\nabc",
    b"GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
]
ODD = st.sampled_from([*b"\r\n\t \x00\x0b:;,=-_0\xff", 0x23, 0x85])


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A good request with a few octets changed, put in or taken out."""
    raw = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw) - 1))
        match draw(st.integers(0, 2)):
            case 0:
                raw[at] = draw(ODD)
            case 1:
                raw.insert(at, draw(ODD))
            case _:
                del raw[at]
    return bytes(raw)


@settings(max_examples=1000, deadline=None)
@given(MADE)
def test_what_is_made_of_a_smugglers_fragments_is_forwarded_unambiguously(raw: bytes) -> None:
    check(raw)


@settings(max_examples=1000, deadline=None)
@given(changed())
def test_what_is_nearly_good_is_forwarded_unambiguously(raw: bytes) -> None:
    check(raw)


@settings(max_examples=200, deadline=None)
@given(MADE, st.lists(st.integers(1, 60), max_size=12))
def test_a_split_changes_no_decision(raw: bytes, sizes: list[int]) -> None:
    for form in FORMS:
        assert judge(form, raw, sizes) == judge(form, raw, [])


def test_the_harness_sees_what_it_should() -> None:
    raw = b"POST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert check(raw + b"GET") == Verdict("", b"POST", b"/x", b"a.test", b"abc", len(raw))
    assert check(b"GET / HTTP/1.1\r\n\r\n").refused == "BAD_HOST"
    assert check(b"GET / HTTP/1.1\r\nHo").refused == "incomplete"
