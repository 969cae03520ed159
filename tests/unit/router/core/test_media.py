"""Which form of an error a client gets, by its Accept header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.media import HTML, JSON, TEXT, preferred

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (BROWSER, HTML),
        (b"TEXT/HTML", HTML),
        (b"application/xhtml+xml", HTML),
        (b"", JSON),
        (b"*/*", JSON),
        (b"*", JSON),
        (b"image/avif,image/webp,*/*;q=0.8", JSON),
        (b"application/json, text/plain, */*", JSON),
        (b"application/problem+json", JSON),
        (b"application/*", JSON),
        (b"text/plain", TEXT),
        (b"text/plain, */*;q=0.1", TEXT),
        (b"text/plain;q=0.5, text/html;q=0.4", TEXT),
        (b"text/html;q=0.4, application/json;q=0.5", JSON),
        (b"text/html, application/json", HTML),
        (b"application/json, text/html", JSON),
        (b"text/*", HTML),
        (b"text/*, text/html;q=0", TEXT),
        (b"text/html;q=0", JSON),
        (b"text/html;q=0, */*;q=0.5", JSON),
        (b"text/html ; q=0.000 , text/plain; q=0.001", TEXT),
        (b"text/html;level=1;q=0.3, text/plain;q=0.2", HTML),
        (b"text/html;q=2", HTML),
        (b"image/png", JSON),
        (b",,;q=1,nonsense,text/plain", TEXT),
        (b"a/b," * 100 + b"text/html", JSON),
    ],
)
def test_the_form_that_is_read_best(accept: bytes, form: int) -> None:
    assert preferred(accept) == form


@given(st.binary(max_size=200))
def test_whatever_is_sent_a_form_is_found(accept: bytes) -> None:
    assert preferred(accept) in (JSON, HTML, TEXT)
