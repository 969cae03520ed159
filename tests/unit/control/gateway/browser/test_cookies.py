from __future__ import annotations

from http.cookies import SimpleCookie

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from control.gateway.browser import cookies
from control.gateway.browser.cookies import Cookies


def put(*, secure: bool) -> str:
    response = web.Response()
    Cookies(make_mocked_request("GET", "/"), secure).put(response, cookies.PAGE, "x", 60)
    return SimpleCookie(response.cookies.output(header="")).output(header="").strip()


def test_over_https_a_cookie_is_this_host_s_alone() -> None:
    said = put(secure=True)
    assert said.startswith("__Host-shipoff-page=x;")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=60"):
        assert part in said
    assert "Domain" not in said


def test_on_this_machine_it_works_without_tls() -> None:
    said = put(secure=False)
    assert said.startswith("shipoff-page=x;")
    assert "HttpOnly" in said and "Secure" not in said


def test_over_https_a_cookie_without_the_prefix_is_not_looked_at() -> None:
    planted = make_mocked_request("GET", "/", headers={"Cookie": f"shipoff-page={'a' * 43}"})
    assert Cookies(planted, secure=True).page() == ""
    assert Cookies(planted, secure=False).page() == "a" * 43


@pytest.mark.parametrize("value", ["", "a" * 42, "a" * 44, "é" * 43, "<" * 43])
def test_a_page_s_secret_has_one_form(value: str) -> None:
    request = make_mocked_request("GET", "/", headers={"Cookie": f"shipoff-page={value}"})
    assert Cookies(request, secure=False).page() == ""


def test_ways_to_providers_have_cookies_of_their_own() -> None:
    assert cookies.flow_name("a") != cookies.flow_name("b")
    assert cookies.form_token("a" * 43) != cookies.form_token("b" * 43)


def test_the_challenge_is_that_of_the_rfc() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert cookies.challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
