"""The life of a request."""

from __future__ import annotations

import pytest

from router.core.head import read_request
from router.core.request import DONE, LOST, MOVES, NAMES, Request


def make(method: str = "GET", length: int = 0) -> Request:
    body = f"Content-Length: {length}\r\n" if length else ""
    head = read_request(f"{method} / HTTP/1.1\r\nHost: a\r\n{body}\r\n".encode())
    assert head is not None
    return Request(head, b"id", 0.0)


def test_every_phase_can_end_and_the_ends_are_final() -> None:
    for phase in range(len(NAMES)):
        reached, todo = {phase}, [phase]
        while todo:
            todo += [to for to in MOVES[todo.pop()] if to not in reached and not reached.add(to)]  # type: ignore[func-returns-value]
        assert reached & {DONE, LOST}
    assert not MOVES[DONE]
    assert not MOVES[LOST]


def test_a_move_that_the_table_does_not_allow_is_a_fault() -> None:
    request = make()
    request.move(LOST)
    with pytest.raises(AssertionError, match="LOST to DONE"):
        request.move(DONE)


def test_body_bytes_are_counted_to_their_end() -> None:
    request = make("POST", 5)
    assert request.take_body(b"xxabc", 2) == 5
    assert request.take_body(b"defgh", 0) == 2
    assert (request.left, request.received) == (0, 5)
