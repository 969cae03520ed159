"""How long and how old (RFC 9111, section 4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.caching.dates import read_date, write_date
from router.core.caching.directives import Directives
from router.core.caching.fieldlines import FieldLines
from router.core.caching.freshness import explicit_lifetime, guessed_lifetime, initial_age

NOW = 1_700_000_000
SECONDS = st.integers(0, 10_000_000)


def fields(*lines: str) -> FieldLines:
    return FieldLines("".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines)).encode())


def at(seconds: float) -> str:
    return write_date(seconds).decode()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        (b"Sun Nov  6 08:49:37 1994", 784111777),
        (b"sun, 06 nov 1994 08:49:37 gmt", 784111777),  # section 4.2: any case
        (b"Sun, 06 Nov 1994 08:49:37 UTC", None),
        (b"Sun, 06 Nov 1994 08:49:37 EST", None),
        (b"Sun, 31 Feb 1994 08:49:37 GMT", None),
        (b"Sun, 06 Nov 1994 25:49:37 GMT", None),
        (b"Sun, 6 Nov 1994 08:49:37 GMT", None),
        (b"Sun 06 Nov 1994 08:49:37 GMT", None),
        (b"0", None),
        (b"-1", None),
        (b"", None),
    ],
)
def test_dates(text: bytes, seconds: int | None) -> None:
    assert read_date(text) == seconds


@given(st.integers(0, 4_000_000_000))
def test_a_date_that_is_written_is_read(seconds: int) -> None:
    assert read_date(write_date(seconds)) == seconds


@given(st.binary(max_size=40))
def test_no_date_fails(value: bytes) -> None:
    read_date(value)


@pytest.mark.parametrize(
    ("control", "expires", "lifetime"),
    [
        ("s-maxage=5, max-age=60", at(NOW + 100), 5),  # section 4.2.1, in this order
        ("max-age=60", at(NOW + 100), 60),
        ("", at(NOW + 100), 100),
        ("", at(NOW - 100), 0),
        ("", "0", 0),  # section 5.3: invalid is past
        ("s-maxage=x, max-age=60", at(NOW + 100), 0),
        ("public", None, None),
    ],
)
def test_a_lifetime_that_is_stated(control: str, expires: str | None, lifetime: float | None) -> None:
    found = fields(*([f"Expires: {expires}"] if expires else []))
    assert explicit_lifetime(found, Directives(control.encode()), False, NOW) == lifetime


def test_two_values_of_expires_are_none() -> None:
    twice = fields(f"Expires: {at(NOW + 100)}", f"Expires: {at(NOW + 200)}")
    assert explicit_lifetime(twice, Directives(), False, NOW) == 0


def test_expires_does_not_count_beside_a_targeted_field() -> None:
    assert explicit_lifetime(fields(f"Expires: {at(NOW + 100)}"), Directives(), True, NOW) is None


@pytest.mark.parametrize(
    ("status", "control", "lifetime"),
    [(200, b"", 100), (404, b"", 100), (201, b"", 0), (302, b"", 0), (500, b"", 0), (201, b"public", 100)],
)
def test_a_lifetime_that_is_guessed(status: int, control: bytes, lifetime: float) -> None:
    modified = fields(f"Last-Modified: {at(NOW - 1000)}")
    assert guessed_lifetime(status, modified, Directives(control), NOW) == lifetime


def test_a_guess_has_a_limit_and_needs_a_past() -> None:
    assert guessed_lifetime(200, fields(f"Last-Modified: {at(0)}"), Directives(), NOW) == 86_400
    assert guessed_lifetime(200, fields(f"Last-Modified: {at(NOW + 5)}"), Directives(), NOW) == 0
    assert guessed_lifetime(200, fields(), Directives(), NOW) == 0


@pytest.mark.parametrize(
    ("age", "seconds"),
    [("30", 30), ("30, 7", 30), ("abc", 0), ("-5", 0), ("1.5", 0), ("", 0), ("9" * 30, 2**31)],
)
def test_an_age_that_is_sent(age: str, seconds: float) -> None:
    assert initial_age(fields(f"Age: {age}"), NOW, NOW, NOW) == seconds


@given(age=SECONDS, behind=SECONDS, took=st.integers(0, 600))
def test_age_never_flatters(age: int, behind: int, took: int) -> None:
    """Section 4.2.3: the larger of what Date and what Age and the time on the way say."""
    found = initial_age(fields(f"Age: {age}"), NOW + took - behind, NOW, NOW + took)
    assert found >= age + took
    assert found >= behind
    assert found == max(behind, age + took)


@given(lifetime=SECONDS, behind=SECONDS, later=SECONDS)
def test_freshness_ends_when_lifetime_is_over(lifetime: int, behind: int, later: int) -> None:
    """The freshness calculus as a whole: fresh exactly while the origin's own clock would say so."""
    date = NOW - behind
    born = NOW - initial_age(fields(), date, NOW, NOW)
    stated = explicit_lifetime(fields(f"Expires: {at(date + lifetime)}"), Directives(), False, date)
    assert stated == lifetime
    assert (stated > NOW + later - born) == (date + lifetime > NOW + later)
