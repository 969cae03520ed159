"""Signing in with a browser: on the gateway's pages, by a real provider, for a program and for a device."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pyotp
import pytest

from tests.integration.control.auth.rig import PASSWORD
from tests.integration.control.auth.test_rest_people import Person
from tests.integration.control.driver import Plane
from tests.integration.control.oauth.conftest import DASHBOARD
from tests.integration.control.oauth.surfer import Surfer
from tests.npm import provider


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def pair() -> tuple[str, str]:
    verifier = secrets.token_urlsafe(32)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def cli(challenge: str = "c" * 43, /, **change: str) -> str:
    asked = {"challenge": challenge, "port": "54321", "state": "s" * 32, "name": "shipoff on <ada's>", **change}
    return "/login/cli?" + urlencode(asked)


async def by_provider(surfer: Surfer, doors: Plane, url: str, **claims: str) -> str:
    """What a person does at the provider; the address that they come back to."""
    said = {"sub": "ada", "email": "ada@example.net", "email_verified": "true", "name": "Ada", **claims}
    return await provider.sign_in(surfer.http, url, f"{doors.url}/v1/auth/oauth/acme/callback", **said)


async def post(doors: Plane, path: str, body: object, token: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as http, http.post(doors.url + path, json=body, headers=headers) as answer:
        return answer.status, (await answer.json(content_type=None))


async def get(doors: Plane, path: str, token: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as http, http.get(doors.url + path, headers=headers) as answer:
        return answer.status, (await answer.json(content_type=None))


def new(sub: str = "") -> dict[str, str]:
    sub = sub or secrets.token_hex(5)
    return {"sub": sub, "email": f"{sub}@example.net"}


# --- the pages themselves ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/device", cli(), "/login/cli", "/login/with/nobody"])
async def test_a_page_lets_nothing_else_in(surfer: Surfer, path: str) -> None:
    shown = await surfer.go(path)
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert shown.headers["X-Frame-Options"] == "DENY"
    assert shown.headers["Referrer-Policy"] == "same-origin"
    assert shown.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script|<img|<link|\son\w+=|https?://", shown.text)
    style = re.search(r"<style>(.*?)</style>", shown.text, re.DOTALL)
    assert style is not None
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy
    for cookie in surfer.http.cookie_jar:
        assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/"


async def test_what_is_typed_and_named_is_no_markup(surfer: Surfer) -> None:
    await surfer.go("/login")
    shown = await surfer.send(email='"><b>x</b>', password="x")
    assert (shown.status, "<b>" in shown.text) == (401, False)
    assert "Acme &amp; Co" in shown.text


@pytest.mark.parametrize(
    "next_page",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/v1/me", "/login/cli\r\nX: y", "/device/../x"],
)
async def test_after_signing_in_one_goes_nowhere_else(surfer: Surfer, person: Person, next_page: str) -> None:
    await surfer.go("/login?" + urlencode({"next": next_page}))
    assert surfer.at.fields["next"] == "/device"
    shown = await surfer.send(email=person.email, password=PASSWORD, next=next_page)
    assert shown.url == surfer.origin + "/device"


async def test_a_form_of_another_site_is_refused(surfer: Surfer, person: Person) -> None:
    await surfer.go("/login")
    filled = {"email": person.email, "password": PASSWORD}
    foreign: list[dict[str, str]] = [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ]
    for headers in foreign:
        assert (await surfer.send(headers, **filled)).status == 403
        await surfer.go("/login")
    assert (await surfer.send(**filled, form="x" * 43)).status == 403
    await surfer.go("/login")
    kept = surfer.at.fields
    async with Surfer(surfer.origin) as other:  # without the cookie that the form belongs to
        await other.go("/login")
        other.at.fields = kept
        assert (await other.send(**filled)).status == 403


async def test_other_kinds_of_bodies_are_no_forms(doors: Plane) -> None:
    async with aiohttp.ClientSession(doors.url) as http:
        for data, kind in (
            (b"{}", "application/json"),
            (b"\xff=\xff", "application/x-www-form-urlencoded; charset=utf-8"),
            (b"a=b", "application/x-www-form-urlencoded; charset=nonsense"),
            (b"", "text/plain"),
        ):
            async with http.post("/login", data=data, headers={"Content-Type": kind}) as answer:
                assert answer.status == 403, await answer.text()


# --- the command line -------------------------------------------------------------------------------------------------


async def sign_in(surfer: Surfer, person: Person, path: str) -> None:
    await surfer.go(path)
    await surfer.send(email=person.email, password=PASSWORD)
    assert surfer.at.status == 200, surfer.at.text


async def test_a_program_is_signed_in_after_a_password_and_a_yes(surfer: Surfer, person: Person, doors: Plane) -> None:
    verifier, challenge = pair()
    await sign_in(surfer, person, cli(challenge))
    assert "shipoff on &lt;ada&#39;s&gt;" in surfer.at.text
    assert person.email in surfer.at.text
    assert "form-action 'self' http://127.0.0.1:54321;" in surfer.at.headers["Content-Security-Policy"]
    page_session = surfer.cookies()["shipoff-signed-in"]
    back = await surfer.send(answer="yes")
    assert back.url.startswith("http://127.0.0.1:54321/callback?")
    told = query(back.url)
    assert (back.status, told["state"]) == (303, "s" * 32)
    assert "shipoff-signed-in" not in surfer.cookies()
    assert (await get(doors, "/v1/me", page_session))[0] == 401  # its session is over
    status, tokens = await post(doors, "/v1/auth/oauth/token", {"code": told["code"], "verifier": verifier})
    assert (status, tokens["token_type"]) == (200, "Bearer")
    assert (await get(doors, "/v1/me", tokens["access_token"]))[1]["email"] == person.email
    status, refused = await post(doors, "/v1/auth/oauth/token", {"code": told["code"], "verifier": verifier})
    assert (status, refused["code"]) == (400, "CODE_INVALID")
    listed = (await get(doors, "/v1/me/sessions", tokens["access_token"]))[1]["sessions"]
    assert [one["methods"] for one in listed] == [["pwd"]]


async def test_a_stolen_code_is_worth_nothing(surfer: Surfer, person: Person, doors: Plane) -> None:
    await sign_in(surfer, person, cli(pair()[1]))
    code = query((await surfer.send(answer="yes")).url)["code"]
    status, refused = await post(doors, "/v1/auth/oauth/token", {"code": code, "verifier": pair()[0]})
    assert (status, refused["code"]) == (400, "CODE_INVALID")


async def test_a_no_brings_no_code(surfer: Surfer, person: Person) -> None:
    await sign_in(surfer, person, cli(pair()[1]))
    told = query((await surfer.send(answer="no")).url)
    assert told == {"error": "access_denied", "state": "s" * 32}
    assert "shipoff-signed-in" not in surfer.cookies()


async def test_another_account_can_be_used(surfer: Surfer, person: Person) -> None:
    await sign_in(surfer, person, cli(pair()[1]))
    shown = await surfer.send(answer="other")
    assert urlsplit(shown.url).path == "/login"
    assert "challenge" in shown.fields["next"]


@pytest.mark.parametrize(
    "change",
    [
        {"port": "80"}, {"port": "65536"}, {"port": "-1"}, {"port": "0x50"}, {"port": ""}, {"port": "٨٠٨٠"},
        {"port": "8080@evil.example"}, {"challenge": "x"}, {"challenge": ""}, {"state": "x"}, {"state": "a&b" * 10},
    ],
)  # fmt: skip
async def test_what_no_program_asks_is_refused(surfer: Surfer, change: dict[str, str]) -> None:
    shown = await surfer.go(cli(**change))
    assert (shown.status, "CLI_REQUEST_INVALID" in shown.text) == (400, True)


async def test_the_question_is_not_answered_by_a_changed_form(surfer: Surfer, person: Person) -> None:
    await sign_in(surfer, person, cli(pair()[1]))
    shown = await surfer.send(answer="yes", port="1@evil.example")
    assert shown.status == 400


async def test_the_second_factor_is_asked_for(surfer: Surfer, person: Person, doors: Plane) -> None:
    await person.login()
    status, begun = await person.call("POST", "/v1/me/two-factor", {"password": PASSWORD})
    assert status == 201, begun
    status, codes = await person.call("PUT", "/v1/me/two-factor", {"code": pyotp.TOTP(begun["secret"]).now()})
    assert status == 200, codes
    await surfer.go(cli(pair()[1]))
    shown = await surfer.send(email=person.email, password=PASSWORD)
    assert "shipoff-signed-in" not in surfer.cookies()
    shown = await surfer.send(code="000000")
    assert (shown.status, "authenticator" in shown.text) == (422, True)
    shown = await surfer.send(code=codes["recovery_codes"][0])
    assert urlsplit(shown.url).path == "/login/cli"
    assert shown.status == 200


# --- providers --------------------------------------------------------------------------------------------------------


async def test_a_program_is_signed_in_after_a_provider_and_a_yes(surfer: Surfer, doors: Plane) -> None:
    verifier, challenge = pair()
    shown = await surfer.go(cli(challenge))
    [button] = shown.links
    away = await surfer.go(button)
    person = new()
    back = await surfer.go(await by_provider(surfer, doors, away.url, **person))
    assert (back.status, urlsplit(back.url).path) == (200, "/login/cli"), back.text
    assert person["email"] in back.text
    assert set(surfer.cookies()) & {"shipoff-way"} == set()
    assert not [name for name in surfer.cookies() if name.startswith("shipoff-flow-")]
    code = query((await surfer.send(answer="yes")).url)["code"]
    status, tokens = await post(doors, "/v1/auth/oauth/token", {"code": code, "verifier": verifier})
    assert status == 200
    assert (await get(doors, "/v1/me", tokens["access_token"]))[1]["email"] == person["email"]
    listed = (await get(doors, "/v1/me/identities", tokens["access_token"]))[1]["identities"]
    assert [(one["provider"], one["email"]) for one in listed] == [("acme", person["email"])]


async def test_the_dashboard_gets_its_session_by_the_code_and_the_verifier(surfer: Surfer, doors: Plane) -> None:
    assert (await get(doors, "/v1/auth/providers"))[1] == {"providers": [{"id": "acme", "name": "Acme & Co"}]}
    verifier, challenge = pair()
    asked = urlencode({"redirect": f"{DASHBOARD}/in?x=1", "challenge": challenge})
    away = await surfer.go(f"/v1/auth/oauth/acme/start?{asked}")
    assert away.status == 303
    back = await surfer.go(await by_provider(surfer, doors, away.url, **new()))
    assert back.url.startswith(f"{DASHBOARD}/in?x=1&code=")
    assert back.headers["Referrer-Policy"] == "same-origin"
    status, tokens = await post(doors, "/v1/auth/oauth/token", {"code": query(back.url)["code"], "verifier": verifier})
    assert (status, "refresh_token" in tokens) == (200, True)


@pytest.mark.parametrize(
    "redirect", ["https://evil.example/", "//evil.example", "/v1/me", f"{DASHBOARD}.evil.example/"]
)
async def test_a_redirect_elsewhere_begins_nothing(surfer: Surfer, redirect: str) -> None:
    asked = urlencode({"redirect": redirect, "challenge": pair()[1]})
    shown = await surfer.go(f"/v1/auth/oauth/acme/start?{asked}")
    assert (shown.status, "REDIRECT_INVALID" in shown.text) == (422, True)
    assert "Location" not in shown.headers


async def test_a_victim_is_not_signed_in_as_an_attacker_by_their_callback(surfer: Surfer, doors: Plane) -> None:
    """Login CSRF: the attacker begins, and sends the victim the address that they came back to themselves."""
    asked = urlencode({"redirect": f"{DASHBOARD}/", "challenge": pair()[1]})
    async with Surfer(doors.url) as attacker:
        away = await attacker.go(f"/v1/auth/oauth/acme/start?{asked}")
        planted = await by_provider(attacker, doors, away.url, **new())
        shown = await surfer.go(planted)
        assert (shown.status, "STATE_INVALID" in shown.text) == (400, True)
        again = await attacker.go(planted)  # and it is used up
        assert again.status == 400


async def test_a_code_in_the_address_of_another_browser_signs_nobody_in(surfer: Surfer, doors: Plane) -> None:
    async with Surfer(doors.url) as attacker:
        await attacker.go("/login")
        away = await attacker.go("/login/with/acme?next=/device")
        callback = await by_provider(attacker, doors, away.url, **new())
        async with attacker.http.get(callback, allow_redirects=False) as answer:
            planted = answer.headers["Location"]
    assert planted.startswith("/login/return?code=")
    shown = await surfer.go(planted)
    assert (shown.status, "WAY_LOST" in shown.text) == (400, True)
    await surfer.go("/login/with/acme?next=/device")  # a way of their own does not help
    shown = await surfer.go(doors.url + planted)
    assert (shown.status, "shipoff-signed-in" in surfer.cookies()) == (400, False)


async def test_who_is_refused_at_the_provider_is_told_and_may_try_again(surfer: Surfer, doors: Plane) -> None:
    away = await surfer.go("/login/with/acme?next=/device")
    shown = await surfer.go(await by_provider(surfer, doors, away.url, refuse="1"))
    assert "refused at the provider" in shown.text
    assert shown.links == ["/login/with/acme?next=/device"]


async def test_an_unverified_address_is_a_clear_refusal(surfer: Surfer, doors: Plane) -> None:
    away = await surfer.go("/login/with/acme?next=/device")
    shown = await surfer.go(await by_provider(surfer, doors, away.url, **new(), email_verified="false"))
    assert (shown.status, "does not say that your e-mail address is verified" in shown.text) == (403, True)


async def test_a_program_gets_problems_instead_of_pages(doors: Plane) -> None:
    status, refused = await get(doors, "/v1/auth/oauth/acme/callback?state=x&code=y")
    assert (status, refused["code"]) == (400, "STATE_INVALID")
    status, refused = await get(doors, "/v1/auth/oauth/nobody/start?redirect=/login/return&challenge=" + "c" * 43)
    assert (status, refused["code"]) == (404, "PROVIDER_UNKNOWN")


@pytest.mark.parametrize(
    "junk", ["state=%ff%fe", "state=" + "x" * 5000, "state=a&state=b", "code=%00", "iss=%0d%0a", ""]
)
async def test_junk_at_the_callback_is_refused(doors: Plane, junk: str) -> None:
    assert (await get(doors, f"/v1/auth/oauth/acme/callback?{junk}"))[0] == 400


async def test_an_identity_is_linked_by_the_page_that_began_and_unlinked(
    surfer: Surfer, person: Person, doors: Plane
) -> None:
    await person.login()
    verifier, challenge = pair()
    asked = urlencode({"redirect": f"{DASHBOARD}/me", "challenge": challenge, "link": "1"})
    away = await surfer.go(f"/v1/auth/oauth/acme/start?{asked}")
    back = await surfer.go(await by_provider(surfer, doors, away.url, **new()))
    body = {"code": query(back.url)["code"], "verifier": verifier}
    status, linked = await person.call("POST", "/v1/me/identities", body)
    assert status == 200, linked
    [one] = linked["identities"]
    assert (await person.call("DELETE", f"/v1/me/identities/{one['id']}"))[0] == 204
    assert (await person.call("DELETE", f"/v1/me/identities/{one['id']}"))[0] == 404
    status, refused = await post(doors, "/v1/me/identities", body)
    assert (status, refused["code"]) == (401, "UNAUTHENTICATED")


# --- devices ----------------------------------------------------------------------------------------------------------


async def test_a_device_is_signed_in_by_its_code(surfer: Surfer, person: Person, doors: Plane) -> None:
    status, device = await post(doors, "/v1/auth/device", {"name": "shipoff on <b>box</b>"})
    assert (status, device["verification_uri"]) == (201, doors.url + "/device")
    ask = {"device_code": device["device_code"]}
    assert (await post(doors, "/v1/auth/device/token", ask))[1]["code"] == "AUTHORIZATION_PENDING"
    assert (await post(doors, "/v1/auth/device/token", ask))[1]["code"] == "SLOW_DOWN"
    await sign_in(surfer, person, device["verification_uri_complete"])
    assert surfer.at.fields["code"] == device["user_code"]
    shown = await surfer.send(code="BBBB-BBBB", answer="look")
    assert (shown.status, "USER_CODE_INVALID" in shown.text or "no program waits" in shown.text) == (404, True)
    shown = await surfer.send(code=device["user_code"], answer="look")
    assert "shipoff on &lt;b&gt;box&lt;/b&gt;" in shown.text
    assert "127.0.0.1" in shown.text
    shown = await surfer.send(answer="yes")
    assert (shown.status, "signed in" in shown.text) == (200, True)
    assert "shipoff-signed-in" not in surfer.cookies()


async def test_a_device_that_is_refused_hears_it(surfer: Surfer, person: Person, doors: Plane) -> None:
    _, device = await post(doors, "/v1/auth/device", {"name": "box"})
    await sign_in(surfer, person, "/device")
    await surfer.send(code=device["user_code"], answer="look")
    await surfer.send(answer="no")
    ask = {"device_code": device["device_code"]}
    assert (await post(doors, "/v1/auth/device/token", ask))[1]["code"] == "ACCESS_DENIED"
