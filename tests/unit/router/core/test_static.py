"""Manifests, codings and ranges without a store."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernel.errors import ShipoffError
from router.core.errors import Refused
from router.core.manifest import Blob, File, Manifest
from router.core.negotiate import coding_of, etag, is_unchanged, range_of


def entry(type_: str = "text/plain", **more: Any) -> dict[str, Any]:
    return {"key": "k", "digest": "ab12", "size": 3, "type": type_, **more}


def manifest(files: dict[str, Any], **more: Any) -> Manifest:
    return Manifest(json.dumps({"files": files, **more}).encode())


@pytest.mark.parametrize(
    ("path", "immutable"),
    [
        ("/assets/index-BwQ2x9aZ.js", True),
        ("/main.3f9a1c7e.css", True),
        ("/_next/static/chunks/app.js", True),
        ("/main.3f9a1c7e.js.map", True),
        ("/jquery-migrate.js", False),
        ("/robots.txt", False),
        ("/some-long-name.png", False),
    ],
)
def test_only_names_with_a_hash_are_immutable(path: str, immutable: bool) -> None:
    found = manifest({path: entry()}).find(path.encode(), wants_page=False).file
    assert found is not None
    assert (b"immutable" in found.cache) is immutable


def test_pages_are_never_immutable() -> None:
    found = manifest({"/a.3f9a1c7e.html": entry("text/html")}).find(b"/a.3f9a1c7e.html", wants_page=True).file
    assert found is not None
    assert b"must-revalidate" in found.cache


@pytest.mark.parametrize("target", [b"/docs", b"//docs", b"/x/../docs", b"/docs?next=//evil"])
def test_a_redirect_to_a_directory_stays_on_the_site(target: bytes) -> None:
    answer = manifest({"/docs/index.html": entry()}).find(target, wants_page=True)
    assert answer.location.startswith(b"/docs/")


def test_a_location_cannot_carry_a_line_end() -> None:
    answer = manifest({"/a\r\nX: 1/index.html": entry()}).find(b"/a%0d%0aX:%201", wants_page=True)
    assert b"\r" not in answer.location
    assert b"\n" not in answer.location


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"files": 1}', b'{"files": {"/a": {}}}', b'{"files": {"/a": 1}}'])
def test_a_damaged_manifest_is_said_so(raw: bytes) -> None:
    with pytest.raises(ShipoffError, match="MANIFEST_INVALID"):
        Manifest(raw)


def test_a_type_cannot_carry_a_line_end() -> None:
    with pytest.raises(ShipoffError, match="MANIFEST_INVALID"):
        manifest({"/a": entry("text/plain\r\nX: 1")})


FILE = File(Blob("k", 9), "ab12", b"text/css", {"br": Blob("b", 2), "gzip": Blob("g", 3)}, b"")


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (b"gzip, br", "br"),
        (b"gzip", "gzip"),
        (b"*", "br"),
        (b"br;q=0, *", "gzip"),
        (b"br;q=x, gzip;q=0.1", "gzip"),
        (b"br;q=0, gzip; q=0", ""),
        (b"deflate", ""),
        (b"", ""),
    ],
)
def test_codings(accept: bytes, coding: str) -> None:
    assert coding_of(FILE, accept)[0] == coding


def test_tags_differ_by_coding_and_compare_weakly() -> None:
    tag = etag(FILE, "br")
    assert tag != etag(FILE, "")
    assert is_unchanged(b'"x", W/' + tag, tag)
    assert not is_unchanged(b'"x"', tag)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (b"bytes=0-0", (0, 0)),
        (b"bytes=2-", (2, 9)),
        (b"bytes=-3", (7, 9)),
        (b"bytes=-30", (0, 9)),
        (b"bytes=3-99", (3, 9)),
        (b"bytes=3-1", None),
        (b"bytes=-", None),
        (b"bytes=0-1,2-3", None),
        (b"items=0-1", None),
        (b"", None),
    ],
)
def test_ranges(value: bytes, part: tuple[int, int] | None) -> None:
    assert range_of(value, b"", b'"t"', 10) == part


@pytest.mark.parametrize("value", [b"bytes=10-", b"bytes=10-20", b"bytes=-0"])
def test_ranges_outside_the_file(value: bytes) -> None:
    with pytest.raises(Refused):
        range_of(value, b"", b'"t"', 10)
