"""The choice among releases: weights, the cookie that remembers, the header that overrides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import ShipoffError
from router.core.reading import Reader, whole
from router.core.split import Split, draw, read_split

WEIGHTS = (("rel_a", 90), ("rel_b", 100))


def split(**fields: object) -> Split:
    return read_split(Reader(fields, "rules.canary"))


@pytest.mark.parametrize(("point", "release"), [(0.0, "rel_a"), (0.8999, "rel_a"), (0.9, "rel_b"), (0.9999, "rel_b")])
def test_the_draw_follows_the_weights(point: float, release: str) -> None:
    assert draw(WEIGHTS, point) == release
    assert split().choose(WEIGHTS, b"", b"", point) == (release, False)


def test_nothing_to_draw_from() -> None:
    assert draw((), 0.5) == ""
    assert split(cookie="c").choose((), b"", b"", 0.5) == ("", False)


def test_the_cookie_of_an_earlier_draw_is_obeyed_and_a_new_client_gets_one() -> None:
    sticky = split(cookie="canary", max_age_s=60)
    assert sticky.choose(WEIGHTS, b"", b"", 0.5) == ("rel_a", True)
    assert sticky.choose(WEIGHTS, b"", b"x=1; canary=rel_b; y=2", 0.5) == ("rel_b", False)
    assert sticky.choose(WEIGHTS, b"", b"canary=rel_b", 0.5) == ("rel_b", False)
    assert sticky.set_cookie("rel_b", secure=True) == (
        b"Set-Cookie: canary=rel_b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure\r\n"
    )
    assert b"Secure" not in sticky.set_cookie("rel_b", secure=False)


@pytest.mark.parametrize(
    "cookies", [b"canary=rel_gone", b"xcanary=rel_b", b"canary=rel_b2", b"canary=", b"canary=rel_b\xff", b"canary"]
)
def test_a_cookie_that_names_nothing_served_is_drawn_anew(cookies: bytes) -> None:
    assert split(cookie="canary").choose(WEIGHTS, b"", cookies, 0.0) == ("rel_a", True)


def test_the_header_overrides_cookie_and_draw_but_reaches_only_what_is_served() -> None:
    made = split(cookie="canary", header="X-Release")
    assert made.header == b"x-release"
    assert made.choose(WEIGHTS, b"rel_b", b"canary=rel_a", 0.0) == ("rel_b", False)
    assert made.choose(WEIGHTS, b"rel_secret", b"", 0.0) == ("rel_a", True)


@given(st.text(min_size=1, max_size=12))
def test_any_release_name_survives_the_way_through_a_cookie(name: str) -> None:
    weights, made = ((name, 1), ("other", 2)), split(cookie="c")
    line = made.set_cookie(name, secure=False)
    value = line.partition(b"Set-Cookie: ")[2].partition(b";")[0]
    assert line.count(b"\r\n") == 1
    assert made.choose(weights, b"", value, 0.99) == (name, False)


@pytest.mark.parametrize(
    "fields", [{"cookie": "a b"}, {"cookie": "a;"}, {"header": "x:y"}, {"max_age_s": 0}, {"what": 1}]
)
def test_what_is_no_split(fields: dict[str, object]) -> None:
    with pytest.raises(ShipoffError, match=r"rules\.canary"):
        whole(fields, "rules.canary", read_split)
