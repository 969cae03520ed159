"""Cache-Control and CDN-Cache-Control, read so that doubt means less caching (RFC 9111, 5.2; RFC 9213)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.caching.directives import ABSENT, MOST_S, Directives, targeted


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"max-age=60", 60),
        (b"MAX-AGE=60", 60),
        (b'max-age="60"', 60),  # section 5.2: both forms are accepted
        (b"max-age=060", 60),
        (b"public, max-age=60, x", 60),
        (b'x="max-age=1", max-age=60', 60),
        (b'x="a\\"b, max-age=1", max-age=60', 60),
        (b"max-age=60, max-age=60", 60),
        (b"max-age=99999999999999999999", MOST_S),  # section 1.2.2
        (b"max-age=60, max-age=10", 0),  # section 4.2.1: two values are none
        (b"max-age=abc", 0),
        (b"max-age=1.5", 0),
        (b"max-age=-1", 0),
        (b"max-age=60s", 0),
        (b"max-age='60'", 0),
        (b"max-age =60", 0),
        (b"max-age= 60", 0),
        (b"max-age=", 0),
        (b"max-age", 0),
        (b"s-maxage=60", ABSENT),
        (b"xmax-age=60", ABSENT),
        (b"", ABSENT),
    ],
)
def test_a_lifetime(value: bytes, seconds: int) -> None:
    assert Directives(value).max_age == seconds


def test_names_of_fields_are_not_the_whole_answer() -> None:
    listed = Directives(b'no-cache="Set-Cookie, X-A", private="x-b"')
    assert (listed.no_cache, listed.private) == (False, False)
    assert listed.hidden == {b"set-cookie", b"x-a", b"x-b"}


@pytest.mark.parametrize("value", [b"no-cache", b"no-cache=", b'no-cache=""', b"no-cache=x", b'no-cache="a b"'])
def test_a_list_that_is_none_means_the_whole_answer(value: bytes) -> None:
    assert Directives(value).no_cache
    assert Directives(value.replace(b"no-cache", b"private")).private


def test_a_quote_that_never_closes_forbids_storing() -> None:
    assert Directives(b'x="abc, max-age=60').no_store


def test_max_stale_without_a_number_is_any() -> None:
    assert Directives(b"max-stale").max_stale == MOST_S
    assert Directives(b"max-stale=5").max_stale == 5
    assert Directives(b"max-stale=x").max_stale == 0


@given(st.binary(max_size=80))
def test_nothing_that_is_sent_fails(value: bytes) -> None:
    Directives(value)
    targeted(value)


@given(
    st.lists(st.sampled_from([b"no-store", b"private", b"max-age=1", b"max-age=2", b'x="1"', b"public"]), max_size=6)
)
def test_more_directives_never_forbid_less(parts: list[bytes]) -> None:
    directives = Directives(b", ".join(parts))
    assert directives.no_store == (b"no-store" in parts)
    assert directives.private == (b"private" in parts)
    assert directives.max_age <= max([int(p[8:]) for p in parts if p.startswith(b"max-age")], default=ABSENT)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"max-age=60", 60),
        (b"max-age=60;x=1, private", 60),
        (b"max-age=60, max-age=10", 10),  # RFC 8941: the last member of a name counts
        (b'max-age="60"', 0),
        (b"max-age=1.5", 0),
        (b'x="a, max-age=1", max-age=60', 60),
    ],
)
def test_a_targeted_lifetime(value: bytes, seconds: int) -> None:
    directives = targeted(value)
    assert directives is not None
    assert directives.max_age == seconds


@pytest.mark.parametrize("value", [b"", b"  ", b"Max-Age=60", b"max-age=60,", b"max-age=60 x", b'max-age="', b"=1"])
def test_a_targeted_field_that_is_no_dictionary_is_not_there(value: bytes) -> None:
    assert targeted(value) is None
