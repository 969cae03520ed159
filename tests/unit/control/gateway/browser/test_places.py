from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.gateway.browser.places import next_of, sign_in


@pytest.mark.parametrize("page", ["/device", "/device?code=BCDF-GHJK", "/login/cli?port=5000&name=a%20b+c"])
def test_a_question_is_gone_on_to(page: str) -> None:
    assert next_of(page) == page


@given(
    st.one_of(st.text(max_size=40), st.text(max_size=40).map("/device".__add__), st.text().map("/login/cli?".__add__))
)
def test_no_text_leads_away(said: str) -> None:
    page = next_of(said)
    assert page.partition("?")[0] in ("/device", "/login/cli")
    assert page.isascii() and page.isprintable() and "\\" not in page


def test_the_sign_in_comes_back() -> None:
    assert sign_in("/device?code=A&b") == "/login?next=%2Fdevice%3Fcode%3DA%26b"
