"""Where answers end, however their bytes are split."""

from __future__ import annotations

import pytest

from bench.load.answer import Answer, Malformed

WHOLE = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, 5, True),
    (b"HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", 404, 0, True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 200, 2, False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, 2, False),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", 304, 0, True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, 0, True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n2;x=y\r\n!\n\r\n0\r\n\r\n", 200, 7, True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: yes\r\n\r\n", 200, 1, True),
    (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, 1, True),
]


@pytest.mark.parametrize(("raw", "status", "size", "keep_alive"), WHOLE)
@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_whole_answers(raw: bytes, status: int, size: int, keep_alive: bool, step: int) -> None:
    answer = Answer()
    told = [answer.feed(raw[at : at + step]) for at in range(0, len(raw), step)]
    assert told == [False] * (len(told) - 1) + [True]
    assert (answer.status, answer.size, answer.keep_alive) == (status, size, keep_alive)


def test_a_head_request_has_no_body() -> None:
    answer = Answer()
    answer.expect(head_only=True)
    assert answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")


def test_without_a_length_the_end_of_the_connection_is_the_end() -> None:
    answer = Answer()
    assert not answer.feed(b"HTTP/1.1 200 OK\r\n\r\nsome")
    assert answer.ended()
    assert not answer.keep_alive


def test_a_length_is_not_whole_at_the_end_of_the_connection() -> None:
    answer = Answer()
    assert not answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome")
    assert not answer.ended()
    assert answer.begun


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nmore",
        b"x" * 70_000,
    ],
)
def test_what_cannot_be_framed_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        Answer().feed(raw)


def test_bodies_are_handed_on_as_they_come() -> None:
    got: list[bytes] = []
    answer = Answer(got.append)
    answer.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    assert b"".join(got) == b"abc"
