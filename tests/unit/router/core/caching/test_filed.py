"""A stored answer as a file: whole or none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core.caching.asked import Asked
from router.core.caching.filed import pack, unpack
from router.core.caching.rule import CacheRule
from router.core.caching.stored import Answer, Stored
from router.core.reading import Reader

RULE = CacheRule(Reader({}, "cache"))
LINES = b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-Odd: \xff\r\nVary: A\r\nETag: "v"\r\n'


def made(body: bytes) -> Stored:
    stored = Stored(b"p\0r\0k\xfe", Answer(200, LINES, Asked(), RULE, 1000.0, 1000.5), RULE, body, len(body))
    stored.groups = (b"p\0", b"u\xff")
    return stored


def described(stored: Stored) -> dict[str, object]:
    left_out = ("path", "stamp", "touched")
    return {name: getattr(stored, name) for name in Stored.__slots__ if name not in left_out}


@given(st.binary(max_size=200))
def test_what_is_packed_is_unpacked(body: bytes) -> None:
    stored = made(body)
    again = unpack(pack(stored))
    assert again is not None
    assert described(again) == described(stored)


@given(st.data())
def test_what_is_damaged_is_none(data: st.DataObject) -> None:
    packed = bytearray(pack(made(b"hello")))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    assert unpack(bytes(packed)) is None
    assert unpack(pack(made(b"hello"))[:at]) is None


def test_a_description_can_be_read_alone() -> None:
    stored = unpack(pack(made(b"hello" * 100))[:-300], with_body=False)
    assert stored is not None
    assert (stored.size, stored.body, stored.groups) == (500, None, (b"p\0", b"u\xff"))
