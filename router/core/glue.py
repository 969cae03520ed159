"""Puts the parts of a head together: one allocation and as many copies as there are parts, in C where compiled."""

from __future__ import annotations


def glue(one: bytes, two: bytes, three: bytes, four: bytes, five: bytes) -> bytes:
    """The parts in one."""
    return b"".join((one, two, three, four, five))


def numbered(start: bytes, number: float) -> bytes:
    """A header line that ends with a number, cut to a whole one."""
    return b"%b%d\r\n" % (start, number)


def glue_rest(one: bytes, two: bytes, three: bytes, data: bytes, start: int) -> bytes:
    """The parts, and what `data` has from `start` on."""
    return b"".join((one, two, three, data[start:]))
