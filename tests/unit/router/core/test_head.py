"""Heads: what is forwarded is exactly the one request that was routed, whatever the bytes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.body import CHUNKED, NO_BODY, UNTIL_CLOSE
from router.core.errors import (
    BAD_HOST,
    BAD_REQUEST,
    CODING_UNSUPPORTED,
    HEAD_TOO_LARGE,
    TARGET_TOO_LONG,
    UPSTREAM_INVALID,
    Refused,
)
from router.core.head import RequestHead, illegal, read_request, read_response


def request(*lines: str, first: str = "GET /p?q HTTP/1.1", trusted: bool = False) -> RequestHead:
    head = read_request("\r\n".join([first, "Host: a.test", *lines, "", ""]).encode(), trusted)
    assert head is not None
    return head


def test_a_plain_head_is_forwarded_verbatim() -> None:
    raw = b"GET /p?q HTTP/1.1\r\nhOsT:  A.Test:80 \r\nX-One:two\r\nCookie: \xff\t;\r\n\r\n"
    head = read_request(raw + b"rest")
    assert head is not None
    assert (head.method, head.target, head.host, head.end) == (b"GET", b"/p?q", b"a.test:80", len(raw))
    assert head.lines == raw[:-2]
    assert (head.length, head.keep, head.plain) == (NO_BODY, True, True)


def test_every_beginning_of_a_good_head_is_incomplete() -> None:
    raw = b"POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n"
    assert all(read_request(raw[:n]) is None for n in range(len(raw)))
    assert not any(illegal(raw[:n], seen) for n in range(len(raw)) for seen in (0, n // 2))


@pytest.mark.parametrize(
    ("connection", "first", "keep"),
    [
        ("close", "GET / HTTP/1.1", False),
        ("Close , X-A", "GET / HTTP/1.1", False),
        ("close, keep-alive", "GET / HTTP/1.1", False),
        ("keep-alive", "GET / HTTP/1.1", True),
        ("keep-alive", "GET / HTTP/1.0", True),
        ("x-b", "GET / HTTP/1.0", False),
    ],
)
def test_what_connection_says_of_keeping(connection: str, first: str, keep: bool) -> None:
    assert request(f"Connection: {connection}", first=first).keep is keep


def test_close_in_one_of_several_connection_headers_counts() -> None:
    assert request("Connection: close", "Connection: keep-alive").keep is False


def test_what_connection_names_is_cut_and_nothing_else() -> None:
    head = request("Connection: x-a, , x-b", "X-A: 1", "x-b: 2", "X-AB: 3", "X-C: x-a: 4")
    assert head.lines == b"GET /p?q HTTP/1.1\r\nHost: a.test\r\nX-AB: 3\r\nX-C: x-a: 4\r\n"


def test_an_upgrade_needs_both_headers_and_no_body() -> None:
    both = ("Connection: Upgrade", "Upgrade: WebSocket")
    assert request(*both).upgrade == b"WebSocket"
    assert request(both[1]).upgrade == b""
    assert request(*both, "Content-Length: 3").upgrade == b""
    assert request(*both, first="GET / HTTP/1.0").upgrade == b""


def test_framing() -> None:
    assert request("Content-Length: 12").length == 12
    assert request("Content-Length: 0").length == 0
    assert request("Transfer-Encoding: Chunked").length == CHUNKED
    assert request("transfer-encoding: chunked").lines.endswith(b"\r\ntransfer-encoding: chunked\r\n")


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        ("Transfer-Encoding: Chunked", b"Transfer-Encoding: chunked"),
        ("Transfer-Encoding:\tchunked", b"Transfer-Encoding: chunked"),
        ("Transfer-Encoding:chunked ", b"Transfer-Encoding: chunked"),
        ("Content-Length: 0012", b"Content-Length: 12"),
        ("Content-Length:\t 12\t", b"Content-Length: 12"),
    ],
)
def test_framing_that_is_right_but_oddly_spelt_is_forwarded_plainly(sent: str, forwarded: bytes) -> None:
    head = request(sent, "X: 1")
    assert head.lines == b"GET /p?q HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n" + forwarded + b"\r\n"
    assert head.length in (12, CHUNKED)


@pytest.mark.parametrize("value", ["gzip, chunked", "foo;a=b, chunked", "identity,chunked", "gzip , x, chunked"])
def test_an_unknown_coding_under_a_right_one_is_not_implemented(value: str) -> None:
    with pytest.raises(Refused) as refused:
        request(f"Transfer-Encoding: {value}")
    assert refused.value.kind is (BAD_REQUEST if ";" in value else CODING_UNSUPPORTED)


@pytest.mark.parametrize(
    "value",
    [
        *("gzip", "chunked, gzip", "chunked, chunked", "gzip, chunked, chunked", "xchunked", "chunkedx", ", chunked"),
        *("chunked,", "chunked;a=b", '"chunked"', "identity", ""),
    ],
)
def test_a_body_without_a_certain_end_is_refused(value: str) -> None:
    with pytest.raises(Refused) as refused:
        request(f"Transfer-Encoding: {value}")
    assert refused.value.kind is BAD_REQUEST


def test_the_wish_for_trailers_is_passed_on_as_our_own() -> None:
    wish = b"TE: trailers\r\nConnection: TE\r\n"
    assert request("TE: gzip;q=0.5, trailers", "Connection: TE").lines.endswith(wish)
    assert request("TE: trailers", "TE: trailers").lines.count(wish) == 1
    assert b"TE" not in request("TE: gzip", "Connection: TE").lines


def test_max_forwards_counts_down_for_options_and_for_nothing_else() -> None:
    for sent, forwarded, final in (("5", b"4", False), ("1", b"0", False), ("0", b"0", True), ("x", b"x", False)):
        head = request(f"Max-Forwards: {sent}", first="OPTIONS / HTTP/1.1")
        assert head.lines.endswith(b"\r\nMax-Forwards: " + forwarded + b"\r\n")
        assert head.final is final
    head = request("Max-Forwards: 0")
    assert (head.final, b"Max-Forwards: 0\r\n" in head.lines) == (False, True)


def test_a_head_that_names_thousands_of_headers_is_read_in_one_pass() -> None:
    named = [f"x{n}" for n in range(4000)]
    head = request("Connection: " + ",".join(named), "X3999: 1", "X4000: 2")
    assert head.lines == b"GET /p?q HTTP/1.1\r\nHost: a.test\r\nX4000: 2\r\n"


def test_claims_are_collected_only_to_be_judged() -> None:
    head = request("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2", "X-Forwarded-Proto: HTTPS", trusted=True)
    assert (head.forwarded_for, head.forwarded_proto) == (b"1.1.1.1, 2.2.2.2", b"https")
    assert b"orwarded" not in head.lines


def test_a_header_is_found_by_name() -> None:
    head = request("X-Accept: no", "ACCEPT:  text/html ", "Accept: other")
    assert head.header(b"accept") == b"text/html"
    assert head.header(b"nothing") == b""


def test_the_absolute_form_becomes_the_origin_form() -> None:
    head = request("X: host: 1", first="GET HTTP://B.test:81 HTTP/1.1")
    assert (head.host, head.target) == (b"b.test:81", b"/")
    assert head.lines == b"GET / HTTP/1.1\r\nHost: B.test:81\r\nX: host: 1\r\n"
    assert request(first="OPTIONS http://b.test HTTP/1.1").target == b"*"


def test_an_absolute_target_does_not_excuse_a_host_that_is_none() -> None:
    with pytest.raises(Refused) as refused:
        read_request(b"GET http://b.test/ HTTP/1.1\r\nHost: a b\r\n\r\n")
    assert refused.value.kind is BAD_HOST


@pytest.mark.parametrize("target", ["http://", "http:///x", "ftp://a.test/", "http://u@a.test/", "//", "a.test:80"])
def test_odd_targets(target: str) -> None:
    if target == "//":
        assert request(first="GET // HTTP/1.1").target == b"//"
        return
    with pytest.raises(Refused) as refused:
        request(first=f"GET {target} HTTP/1.1")
    assert refused.value.kind is BAD_REQUEST


def test_answers() -> None:
    head = read_response(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhello")
    assert head is not None
    assert (head.status, head.length, head.keep, head.dated) == (200, 5, True, True)
    head = read_response(b"HTTP/1.1 404\r\n\r\n")
    assert head is not None
    assert (head.status, head.length, head.dated) == (404, UNTIL_CLOSE, False)
    head = read_response(b"HTTP/1.0 200 Fine\r\nX: 1\r\nConnection: keep-alive\r\nKeep-Alive: max=3, timeout=7\r\n\r\n")
    assert head is not None
    assert (head.keep, head.idle_s, head.lines) == (True, 7, b"HTTP/1.1 200 Fine\r\nX: 1\r\n")


@pytest.mark.parametrize("first", [b"HTTP/1.1 200\r\n", b"HTTP/1.0 404\r\n"])
def test_a_status_line_goes_on_with_the_space_that_it_lacks(first: bytes) -> None:
    raw = first + b"Content-Length: 0\r\n\r\n"
    head = read_response(raw + b"behind")
    assert head is not None
    assert head.lines == b"HTTP/1.1 " + first[9:12] + b" \r\nContent-Length: 0\r\n"
    assert (head.status, head.length, head.end) == (int(first[9:12]), 0, len(raw))
    assert all(read_response(raw[:end]) is None for end in range(len(raw)))


def test_a_date_that_belongs_to_the_hop_does_not_count() -> None:
    head = read_response(b"HTTP/1.1 200 OK\r\nDate: x\r\nConnection: date\r\nContent-Length: 0\r\n\r\n")
    assert head is not None
    assert (head.dated, head.lines) == (False, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")


def test_an_answer_that_asks_for_an_upgrade_says_to_what() -> None:
    raw = b"HTTP/1.1 426 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n"
    head = read_response(raw)
    assert head is not None
    assert head.lines.endswith(b"Upgrade: websocket\r\nConnection: upgrade\r\n")
    head = read_response(raw.replace(b"426", b"200"))
    assert head is not None
    assert b"pgrade" not in head.lines


@pytest.mark.parametrize("status", [103, 204])
def test_answers_that_have_no_body_claim_none(status: int) -> None:
    for framing in (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"):
        head = read_response(b"HTTP/1.1 %d X\r\n%bX: 1\r\n\r\n" % (status, framing))
        assert head is not None
        assert head.lines == b"HTTP/1.1 %d X\r\nX: 1\r\n" % status


def test_every_beginning_of_a_good_answer_is_incomplete() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    assert all(read_response(raw[:n]) is None for n in range(len(raw)))


@pytest.mark.parametrize(
    "raw", [b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 999 X\r\n\r\n", b"HTTQ", b"\x00", b"HTTP/1.1 200\n"]
)
def test_what_is_no_answer(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_response(raw)
    assert refused.value.kind is UPSTREAM_INVALID


# --- the invariant: a strict and independent reader sees in what is forwarded exactly what was routed ----------------

NAMES = [
    *(b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Content_Length", b"X-Forwarded-For"),
    *(b"Upgrade", b"Expect", b"TE", b"X", b"Transfer_Encoding", b"Keep-Alive", b"Proxy-Connection", b"Cookie"),
]
VALUES = [
    *(b"a.test", b"3", b"0", b"+3", b"3, 3", b"chunked", b"gzip, chunked", b"close", b"keep-alive, x", b"upgrade"),
    *(
        b"content-length",
        b"websocket",
        b"100-continue",
        b"",
        b" x ",
        b"\t3",
        b"3\x0b",
        b"\xff",
        b"1\r\n 2",
        b"a\nb: c",
        b"a\rb",
    ),
]
LINES = st.tuples(st.sampled_from(NAMES), st.sampled_from([b":", b": ", b" :", b":\t"]), st.sampled_from(VALUES)).map(
    b"".join
)
ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n"])
FIRST = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"POST /a?b HTTP/1.1",
        b"GET http://b.test/ HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET /a b HTTP/1.1",
        b"GET / HTTP/1.1 ",
    ]
)


@given(FIRST, st.lists(st.tuples(LINES, ENDS), max_size=6), st.booleans())
def test_what_is_forwarded_is_unambiguous(first: bytes, lines: list[tuple[bytes, bytes]], with_host: bool) -> None:
    raw = first + b"\r\n" + (b"Host: a.test\r\n" if with_host else b"") + b"".join(a + b for a, b in lines) + b"\r\n"
    try:
        head = read_request(raw)
    except Refused:
        return
    if head is None:
        assert b"\r\n\r\n" not in raw
        return
    start, *fields = head.lines[:-2].split(b"\r\n")
    assert re.fullmatch(rb"[A-Z]+ [/*][!-~]* HTTP/1\.1", start)
    assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", b"".join([start, *fields]))
    names = [re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[^\r\n]*", field) for field in fields]
    assert all(names)
    seen = [match[1].lower().replace(b"_", b"-") for match in names if match]
    assert seen.count(b"host") <= 1
    assert seen.count(b"content-length") + seen.count(b"transfer-encoding") <= 1
    assert (b"content-length" in seen) == (head.length > 0 or (head.length == 0 and b"content-length" in seen))
    assert (b"transfer-encoding" in seen) == (head.length == CHUNKED)
    assert not set(seen) & {b"connection", b"te", b"upgrade", b"keep-alive", b"proxy-connection", b"x-forwarded-for"}


@given(st.binary(max_size=80))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    for read in (read_request, read_response):
        try:
            read(b"GET / HTTP/1.1\r\nHost: a\r\n" + data if read is read_request else b"HTTP/1.1 200 OK\r\n" + data)
            read(data)
        except Refused:
            pass


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"GET / HTTP/3.0\r\nX: \x00\r\n\r\n", BAD_REQUEST),
        (b"GET /" + b"a" * 17_000 + b"\x00 HTTP/1.1\r\n\r\n", TARGET_TOO_LONG),
        (b"GET" * 17_000 + b" / HTTP/1.1\r\n\r\n", BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nX: \n" + b"a" * 40_000 + b"\r\n\r\n", BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\n\r\n\r\n", HEAD_TOO_LARGE),
    ],
)
def test_the_first_fault_counts_however_the_bytes_come(raw: bytes, kind: object) -> None:
    ends = (*range(100, len(raw), 997), len(raw))
    with pytest.raises(Refused) as refused:
        all(read_request(raw[:end]) is None for end in ends)
    assert refused.value.kind is kind
    with pytest.raises(Refused) as refused:
        read_request(raw)
    assert refused.value.kind is kind
