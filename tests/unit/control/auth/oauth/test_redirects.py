from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.auth.oauth.redirects import check, with_result
from kernel.errors import ShipoffError

DASHBOARD = "https://app.example"


@pytest.mark.parametrize(
    "redirect", ["/login/return", "https://app.example/", "https://app.example/a/b?c=d&e=%2F", "https://app.example//x"]
)
def test_pages_of_ours_are_taken_as_they_are(redirect: str) -> None:
    assert check(redirect, DASHBOARD) == redirect


@pytest.mark.parametrize(
    "redirect",
    [
        "",
        "/",
        "/login/return/",
        "/login/return?next=//evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "https://app.example",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "https://app.example:443/",
        "https://app.example:8443/",
        "https://user@app.example/",
        "https://APP.example/",
        "http://app.example/",
        "https:/app.example/",
        "https:app.example/",
        "https://app.example\\@evil.example/",
        "https://app.example/\\evil.example",
        "https://app.example/#fragment",
        "https://app.example/#",
        "https://app.example/a b",
        "https://app.example/\r\nLocation: https://evil.example/",
        "https://app.example/\0",
        "https://app.example/é",
        "https://app.example?x",
        "https://[app.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://127.0.0.1:8080/callback",
        "https://app.example/" + "x" * 1024,
    ],
)
def test_all_else_is_refused(redirect: str) -> None:
    with pytest.raises(ShipoffError, match="REDIRECT_INVALID"):
        check(redirect, DASHBOARD)


@given(st.text(max_size=60))
def test_no_text_leads_away(text: str) -> None:
    for redirect in (text, "https://app.example" + text, DASHBOARD + "/" + text):
        try:
            taken = check(redirect, DASHBOARD)
        except ShipoffError:
            continue
        assert taken == "/login/return" or taken.startswith("https://app.example/")


@pytest.mark.parametrize("redirect", ["https://app.example/", "https:///", "https://", "//", ":///", ":///x"])
def test_without_a_dashboard_only_our_own_pages_are_left(redirect: str) -> None:
    with pytest.raises(ShipoffError, match="REDIRECT_INVALID"):
        check(redirect, "")


def test_what_came_of_it_is_added_to_what_is_there() -> None:
    assert with_result("/login/return", code="x&y") == "/login/return?code=x%26y"
    assert with_result("https://app.example/?a=b", error="X") == "https://app.example/?a=b&error=X"
