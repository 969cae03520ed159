"""Redirect rules: which paths they are for, and where those go."""

from __future__ import annotations

import pytest

from kernel.errors import ShipoffError
from router.core.reading import Reader
from router.core.redirects import Redirect, read_redirect


def rule(**fields: object) -> Redirect:
    return read_redirect(Reader(fields, "rules.redirects[0]"))


def test_an_exact_path_goes_and_its_query_comes_along() -> None:
    made = rule(**{"from": "/old", "to": "/new"})
    assert made.status == 308
    assert made.location(b"/old", b"") == b"/new"
    assert made.location(b"/old", b"a=1&b") == b"/new?a=1&b"
    assert made.location(b"/old/", b"") == b""
    assert made.location(b"/older", b"") == b""


@pytest.mark.parametrize("to", ["/new?x=1", "https://b.test/#top"])
def test_a_target_with_its_own_query_or_fragment_keeps_it(to: str) -> None:
    assert rule(**{"from": "/old", "to": to}).location(b"/old", b"a=1") == to.encode()


def test_a_prefix_takes_what_lies_under_it_along() -> None:
    made = rule(**{"from": "/docs/", "to": "https://docs.test/v2/", "prefix": True, "status": 301})
    assert made.location(b"/docs", b"") == b"https://docs.test/v2"
    assert made.location(b"/docs/a/b", b"q") == b"https://docs.test/v2/a/b?q"
    assert made.location(b"/docs/a b\xc3\xbc%", b"") == b"https://docs.test/v2/a%20b%C3%BC%25"
    assert made.location(b"/docsy", b"") == b""


def test_the_whole_site_can_move() -> None:
    made = rule(**{"from": "/", "to": "https://new.test", "prefix": True})
    assert made.location(b"/", b"") == b"https://new.test/"
    assert made.location(b"/a/b", b"") == b"https://new.test/a/b"
    assert rule(**{"from": "/a", "to": "/", "prefix": True}).location(b"/a", b"") == b"/"
    assert made.location(b"*", b"") == b""


@pytest.mark.parametrize("path", [b"/a/\\evil.test", b"/a/\r\nX: 1", b"/a/\x00"])
def test_no_path_breaks_out_of_the_header_or_to_another_host(path: bytes) -> None:
    location = rule(**{"from": "/a", "to": "/", "prefix": True}).location(path, b"")
    assert location.startswith(b"/")
    assert not location.startswith((b"//", b"/\\"))
    assert location.isascii()
    assert not set(location) & set(b"\r\n\x00 ")


@pytest.mark.parametrize(
    "fields",
    [
        {"from": "/a"},
        {"to": "/a"},
        {"from": "a", "to": "/b"},
        {"from": "/a?x", "to": "/b"},
        {"from": "/a/../b", "to": "/b"},
        {"from": "/%61", "to": "/b"},
        {"from": "/a", "to": "//evil.test"},
        {"from": "/a", "to": "javascript:x"},
        {"from": "/a", "to": "https://"},
        {"from": "/a", "to": "/b\r\nX: 1"},
        {"from": "/a", "to": "/b c"},
        {"from": "/a", "to": "/b", "status": 304},
        {"from": "/a", "to": "/b", "status": 302.0},
        {"from": "/a", "to": "/b?x", "prefix": True},
    ],
)
def test_what_is_no_redirect(fields: dict[str, object]) -> None:
    with pytest.raises(ShipoffError, match=r"rules\.redirects\[0\]"):
        rule(**fields)
