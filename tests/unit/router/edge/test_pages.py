"""Error answers: forms, escaping, bounds, and that a page needs nothing from elsewhere."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import KINDS, ErrorKind
from router.core import errors
from router.core.errors import ASLEEP, HEAD_TOO_LARGE, METHOD_REFUSED, NO_ROUTE, RATE_LIMITED, UPSTREAM_TIMEOUT
from router.edge.pages import accept_in, render

OWN = sorted({kind.code for kind in vars(errors).values() if isinstance(kind, ErrorKind)})
ID = b"0123456789abcdef"


def page(kind: ErrorKind = NO_ROUTE, detail: str = "there is none", request: bytes = ID) -> tuple[str, str]:
    head, body = render(kind, detail, request, b"text/html")
    return head.decode(), body.decode()


class Tags(HTMLParser):
    """Every tag with its attributes, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("code", OWN)
@pytest.mark.parametrize("accept", [b"text/html", b"*/*", b"text/plain"])
def test_every_error_has_every_form(code: str, accept: bytes) -> None:
    kind = KINDS[code]
    head, body = render(kind, "something happened", ID, accept)
    assert head.startswith(f"HTTP/1.1 {kind.status} ".encode())
    assert b" Error\r\n" not in head
    assert f"X-Shipoff-Error: {code}\r\n".encode() in head
    assert code.encode() in body
    assert ID in body
    assert len(body) < 8192


def test_json_is_a_problem_of_rfc_9457() -> None:
    head, body = render(NO_ROUTE, "no site", ID, b"*/*")
    assert b"Content-Type: application/problem+json\r\n" in head
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "NO_ROUTE",
        "detail": "no site",
        "hint": NO_ROUTE.hint,
        "retryable": False,
        "request_id": ID.decode(),
    }


def test_text_is_for_people() -> None:
    head, body = render(UPSTREAM_TIMEOUT, "the app did not answer in time", ID, b"text/plain")
    assert b"Content-Type: text/plain; charset=utf-8\r\n" in head
    assert body.decode().splitlines()[:3] == ["504 Gateway Timeout", "", "The app did not answer in time."]
    assert body.decode().endswith(f"code:    UPSTREAM_TIMEOUT\nrequest: {ID.decode()}\n")


def test_header_lines_that_some_statuses_need() -> None:
    assert b"Allow: GET, HEAD\r\n" in render(METHOD_REFUSED, "", ID, b"")[0]
    assert b"Retry-After: 7\r\n" in render(RATE_LIMITED, "", ID, b"", retry_after=7)[0]
    assert b"Cache-Control: no-store\r\n" in render(NO_ROUTE, "", ID, b"")[0]


@given(st.text(max_size=2000), st.text(alphabet=st.characters(max_codepoint=255), max_size=128))
def test_nothing_that_is_shown_becomes_markup(detail: str, request: str) -> None:
    _, plain = page()
    _, body = page(NO_ROUTE, f"<script>alert(1)</script>&{detail}", request.encode("latin-1"))
    assert [tag for tag, _ in Tags(body).tags] == [tag for tag, _ in Tags(plain).tags]
    assert "<script" not in body


def test_what_happened_is_bounded() -> None:
    assert len(page(detail="x" * 100_000)[1]) < 8192
    assert len(render(NO_ROUTE, "x" * 100_000, ID, b"")[1]) < 8192


@pytest.mark.parametrize("kind", [NO_ROUTE, ASLEEP, UPSTREAM_TIMEOUT])
def test_a_page_loads_nothing_and_its_policy_allows_its_style_alone(kind: ErrorKind) -> None:
    head, body = page(kind)
    policy = re.search(r"Content-Security-Policy: (.*)\r\n", head)
    style = re.search(r"<style>(.*?)</style>", body, re.DOTALL)
    assert policy is not None and style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert policy[1].startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "X-Content-Type-Options: nosniff" in head
    tags = Tags(body).tags
    assert not {"script", "img", "link", "iframe", "form", "a"} & {tag for tag, _ in tags}
    assert not [
        attribute
        for _, own in tags
        for attribute in own
        if attribute in ("style", "src", "href") or attribute.startswith("on")
    ]
    assert "url(" not in style[1] and "@import" not in style[1]


def test_a_page_tells_where_on_the_way_it_went_wrong() -> None:
    assert "App here is the problem" in " ".join(re.sub(r"<[^>]+>", " ", page(UPSTREAM_TIMEOUT)[1]).split())
    assert "Your request here is the problem" in " ".join(re.sub(r"<[^>]+>", " ", page(HEAD_TOO_LARGE)[1]).split())
    assert "App starting" in " ".join(re.sub(r"<[^>]+>", " ", page(ASLEEP)[1]).split())
    assert "<ol>" not in page(NO_ROUTE)[1]


def test_a_sleeping_app_s_page_comes_back_by_itself() -> None:
    metas = [own for tag, own in Tags(page(ASLEEP)[1]).tags if tag == "meta"]
    assert {"http-equiv": "refresh", "content": "2"} in metas
    assert "refresh" not in page(UPSTREAM_TIMEOUT)[1]


def test_the_accept_header_of_a_head_that_cannot_be_read() -> None:
    assert accept_in(b"GET / HTTP/1.1\r\nHost: a\r\nACCEPT: text/html,*/*\r\nCookie: x") == b"text/html,*/*"
    assert accept_in(b"GET / HTTP/1.1\r\nX-Accept: text/html\r\n") == b""
    assert accept_in(b"") == b""
