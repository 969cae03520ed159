"""Chunked framing, split in any way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.body import Chunked
from router.core.errors import Refused


def encode(chunks: list[bytes], trailers: bytes) -> bytes:
    return b"".join(b"%x;e=1\r\n%b\r\n" % (len(c), c) for c in chunks if c) + b"0\r\n" + trailers + b"\r\n"


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    st.sampled_from([b"", b"X-A: 1\r\n"]),
    st.lists(st.integers(0, 300), max_size=8),
    st.binary(max_size=10),
)
def test_any_split_finds_the_same_end_and_payload(
    chunks: list[bytes], trailers: bytes, cuts: list[int], behind: bytes
) -> None:
    raw = encode(chunks, trailers)
    data = raw + behind
    edges = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    chunked, payload, taken = Chunked(), list[bytes](), 0
    for start, stop in pairwise(edges):
        if chunked.done:
            break
        taken = start + chunked.feed(data[start:stop], 0, payload)
    assert chunked.done
    assert taken == len(raw)
    assert b"".join(payload) == b"".join(chunks)


@given(st.binary(max_size=60))
def test_no_bytes_break_it(data: bytes) -> None:
    chunked = Chunked()
    try:
        for n in range(len(data)):
            if not chunked.done:
                chunked.feed(data[n : n + 1])
    except Refused:
        pass


@pytest.mark.parametrize(
    "extension",
    [b";a", b";a=b", b' ; a = "b; c\t\\"d" ;e', b';a="\xff";b=1;c', b"\t;\ta\t=\tb", b';a=""'],
)
def test_an_extension_of_the_grammar_passes(extension: bytes) -> None:
    chunked, payload = Chunked(), list[bytes]()
    chunked.feed(b"3" + extension + b"\r\nabc\r\n0" + extension + b"\r\n\r\n", 0, payload)
    assert (chunked.done, payload) == (True, [b"abc"])


@pytest.mark.parametrize(
    "extension",
    [
        *(b";", b"; ", b" ", b"g", b" a", b";;a", b";a;", b";a=", b";a= ;b", b";=b", b";a==b", b";a=b c", b";a b"),
        *(
            b';"a"',
            b';a="',
            b';a="b',
            b';a="b\\"',
            b';a="b"c',
            b";a,b",
            b";a=b/c",
            b";\xff",
            b";a=\xe9",
            b";a ",
            b";a\x0b=b",
        ),
    ],
)
def test_an_extension_outside_the_grammar_is_refused(extension: bytes) -> None:
    with pytest.raises(Refused):
        Chunked().feed(b"3" + extension + b"\r\nabc\r\n0\r\n\r\n")
    with pytest.raises(Refused):
        Chunked().feed(b"3\r\nabc\r\n0" + extension + b"\r\n\r\n")


@pytest.mark.parametrize("line", [b"1" * 5000, b"a" * 16 + b"\r\n", b"0x1\r\n", b" 1\r\n", b"1;\x00\r\n"])
def test_odd_size_lines_are_refused(line: bytes) -> None:
    with pytest.raises(Refused):
        Chunked().feed(line)


def test_endless_trailers_are_refused() -> None:
    chunked = Chunked()
    chunked.feed(b"0\r\n")
    with pytest.raises(Refused):
        chunked.feed(b"X-A: 1\r\n" * 10_000)


@pytest.mark.parametrize("name", [b"Content-Length", b"content_length", b"Host", b"X-Forwarded-For", b"Authorization"])
def test_what_frames_or_identifies_is_no_trailer(name: bytes) -> None:
    with pytest.raises(Refused):
        Chunked().feed(b"0\r\n" + name + b": 1\r\n\r\n")
