"""Puts the parts of a head together: one allocation and as many copies as there are parts, in C where compiled."""

from __future__ import annotations


def glue(one: bytes, two: bytes, three: bytes, four: bytes, five: bytes) -> bytes:
    """The parts in one."""
    return b"".join((one, two, three, four, five))


def numbered(start: bytes, number: float) -> bytes:
    """A header line that ends with a number, cut to a whole one."""
    return b"%b%d\r\n" % (start, number)


def glue_answer(lines: bytes, date: bytes, request_id: bytes, timing: bytes, end: bytes, data: bytes, at: int) -> bytes:
    """A whole answer: header lines, Date, X-Request-Id, Server-Timing, what ends the head, and `data` from `at` on."""
    return b"".join((lines, date, b"X-Request-Id: ", request_id, b"\r\n", timing, end, data[at:]))
