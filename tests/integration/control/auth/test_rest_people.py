"""People over REST and in a browser, on running processes; mails come from the folder where they lie."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import secrets
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pyotp
import pytest

from tests.integration.control.auth.rig import OTHER, PASSWORD, link_token
from tests.integration.control.driver import Plane

MAIL_S = 20.0


class Person:
    """Somebody with a browser, a mailbox and an address of their own."""

    def __init__(self, plane: Plane, http: aiohttp.ClientSession) -> None:
        self.plane, self.http = plane, http
        self.email = f"ada-{secrets.token_hex(5)}@example.org"
        self.access = ""
        self._read: set[Path] = set()

    async def call(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, Any]:
        shown = self.access if token is None else token
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        async with self.http.request(method, path, json=body, headers=headers) as answer:
            self.headers = answer.headers
            text = await answer.text()
            return answer.status, (await answer.json(content_type=None) if text else None)

    async def register(self) -> tuple[int, Any]:
        return await self.call(
            "POST", "/v1/auth/register", {"name": "Ada", "email": self.email, "password": PASSWORD}, ""
        )

    async def mail(self, subject: str) -> Any:
        """Waits for the next mail to this person with a subject."""
        folder = Path(self.plane.environment["SHIPOFF_AUTH_MAIL_DIR"])
        async with asyncio.timeout(MAIL_S):
            while True:
                for file in sorted(set(folder.glob("*.eml")) - self._read):
                    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                    if message["To"] == self.email and message["Subject"] == subject:
                        self._read.add(file)
                        return message
                await asyncio.sleep(0.1)

    async def join(self) -> None:
        assert (await self.register())[0] == 202
        token = link_token(await self.mail("Confirm your e-mail address"))
        assert await self.call("POST", "/v1/auth/verify", {"token": token}, "") == (200, {"email": self.email})

    async def login(self, password: str = PASSWORD) -> Any:
        status, said = await self.call("POST", "/v1/auth/login", {"email": self.email, "password": password}, "")
        if status == 200:
            self.access = said["access_token"]
        return said


@pytest.fixture
async def person(plane: Plane) -> AsyncIterator[Person]:
    async with aiohttp.ClientSession(plane.url) as http:
        yield Person(plane, http)


async def test_the_life_of_an_account(person: Person) -> None:
    await person.join()
    tokens = await person.login()
    assert person.headers["Cache-Control"] == "no-store"
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    status, me = await person.call("GET", "/v1/me")
    assert (status, me["email"], me["name"], me["verified"], me["two_factor"]) == (
        200,
        person.email,
        "Ada",
        True,
        False,
    )
    assert (await person.call("PATCH", "/v1/me", {"name": "Ada King"}))[1]["name"] == "Ada King"
    status, made = await person.call("POST", "/v1/projects", {"name": f"p{secrets.token_hex(4)}"})
    assert status == 201
    status, refused = await person.call("DELETE", "/v1/me", {"password": PASSWORD})
    assert (status, refused["code"]) == (409, "ACCOUNT_OWNS_PROJECTS")
    assert (await person.call("DELETE", f"/v1/projects/{made['id']}"))[0] == 204
    status, fresh = await person.call("POST", "/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]}, "")
    assert status == 200
    assert (await person.call("PUT", "/v1/me/password", {"password": PASSWORD, "new_password": OTHER}))[0] == 204
    await person.mail("Your password was changed")
    assert (await person.call("GET", "/v1/me", token=fresh["access_token"]))[0] == 200
    assert (await person.login())["code"] == "INVALID_CREDENTIALS"
    await person.login(OTHER)
    _, listed = await person.call("GET", "/v1/me/sessions")
    assert [one["current"] for one in listed["sessions"]].count(True) == 1
    assert (await person.call("DELETE", "/v1/me/sessions"))[1] == {"ended": len(listed["sessions"]) - 1}
    status, gone = await person.call("GET", "/v1/me", token=fresh["access_token"])
    assert (status, gone["code"]) == (401, "SESSION_ENDED")
    assert (await person.call("DELETE", "/v1/me", {"password": OTHER}))[0] == 204
    await person.mail("Your account was deleted")
    assert (await person.call("GET", "/v1/me"))[1]["code"] == "SESSION_ENDED"


async def test_a_second_factor_over_rest(person: Person) -> None:
    await person.join()
    await person.login()
    status, made = await person.call("POST", "/v1/me/two-factor", {"password": PASSWORD})
    assert (status, person.headers["Cache-Control"]) == (201, "no-store")
    totp = pyotp.TOTP(made["secret"])
    status, codes = await person.call("PUT", "/v1/me/two-factor", {"code": totp.now()})
    assert (status, len(codes["recovery_codes"])) == (200, 10)
    refused = await person.login()
    assert (refused["status"], refused["code"]) == (401, "TWO_FACTOR_REQUIRED")
    body = {"challenge": refused["challenge"], "code": codes["recovery_codes"][0]}
    status, tokens = await person.call("POST", "/v1/auth/login/two-factor", body, "")
    assert status == 200
    person.access = tokens["access_token"]
    status, again = await person.call("POST", "/v1/auth/login/two-factor", body, "")
    assert (status, again["code"]) == (401, "CHALLENGE_INVALID")
    assert (await person.call("GET", "/v1/me/two-factor"))[1]["recovery_codes"] == 9
    proof = {"password": PASSWORD, "code": codes["recovery_codes"][1]}
    status, renewed = await person.call("POST", "/v1/me/recovery-codes", proof)
    assert status == 201
    proof["code"] = renewed["recovery_codes"][0]
    assert (await person.call("DELETE", "/v1/me/two-factor", proof))[0] == 204
    assert "access_token" in await person.login()
    assert (await person.call("POST", "/v1/auth/logout"))[0] == 204
    assert (await person.call("POST", "/v1/auth/logout"))[0] == 401


async def test_strangers_hear_the_same_of_any_address(person: Person) -> None:
    await person.join()
    unknown = Person(person.plane, person.http)
    for path, body in (
        ("/v1/auth/register", {"name": "Eve", "password": OTHER}),
        ("/v1/auth/password/forgot", {}),
        ("/v1/auth/verify/resend", {}),
        ("/v1/auth/login", {"password": "neither of the two"}),
    ):
        answers = []
        for who in (person, unknown):
            status, said = await who.call("POST", path, {**body, "email": who.email}, "")
            said.pop("request_id", None)
            answers.append((status, said, sorted(who.headers)))
        assert answers[0] == answers[1]
    await person.mail("You have a Shipoff account already")


async def test_no_token_opens_what_another_is_for(person: Person, plane: Plane) -> None:
    await person.join()
    tokens = await person.login()
    for wrong in (tokens["refresh_token"], "shp_" + "a" * 43, "null", tokens["access_token"] + "x"):
        assert (await person.call("GET", "/v1/me", token=wrong))[0] == 401
    for wrong in (tokens["access_token"], plane.token, ""):
        status, said = await person.call("POST", "/v1/auth/refresh", {"refresh_token": wrong}, "")
        assert said["code"] in ("REFRESH_TOKEN_INVALID", "BODY_INVALID")
        assert status in (401, 422)
    unsigned = jwt.encode(
        jwt.decode(tokens["access_token"], options={"verify_signature": False}), "", algorithm="none",
        headers={"typ": "at+jwt", "kid": jwt.get_unverified_header(tokens["access_token"])["kid"]},
    )  # fmt: skip
    assert (await person.call("GET", "/v1/me", token=unsigned))[1]["code"] == "SIGNED_TOKEN_INVALID"
    status, said = await person.call("GET", "/v1/me/sessions", token=plane.token)
    assert (status, said["code"]) == (403, "SESSION_REQUIRED")
    assert (await person.call("GET", "/v1/me", token=plane.token))[1]["owner"] is True


async def test_access_tokens_verify_with_the_published_keys(person: Person) -> None:
    await person.join()
    tokens = await person.login()
    status, keys = await person.call("GET", "/.well-known/jwks.json", token="")
    assert (status, person.headers["Cache-Control"]) == (200, "public, max-age=300")
    assert not {"d", "k"} & {field for key in keys["keys"] for field in key}
    known = {key.key_id: key for key in jwt.PyJWKSet.from_dict(keys).keys}
    key = known[jwt.get_unverified_header(tokens["access_token"])["kid"]]
    claims = jwt.decode(tokens["access_token"], key.key, algorithms=["EdDSA"], audience="shipoff-api")
    assert claims["sid"] == tokens["session_id"]


async def page(person: Person, method: str, path: str, **more: Any) -> tuple[int, str]:
    async with person.http.request(method, path, **more) as answer:
        person.headers = answer.headers
        return answer.status, await answer.text()


async def test_links_in_mails_open_pages_that_ask_before_they_act(person: Person) -> None:
    await person.register()
    token = link_token(await person.mail("Confirm your e-mail address"))
    for _ in range(2):  # a scanner that opens links does no harm
        status, text = await page(person, "GET", "/verify", params={"token": token})
        assert status == 200
        assert f'name="token" value="{token}"' in text
    policy = person.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'" in policy and "unsafe" not in policy
    assert person.headers["Referrer-Policy"] == "no-referrer"
    assert person.headers["Cache-Control"] == "no-store"
    status, text = await page(person, "POST", "/verify", data={"token": token})
    assert (status, f"{person.email} is yours" in unescape(text)) == (200, True)
    status, text = await page(person, "POST", "/verify", data={"token": token})
    assert (status, "not valid" in text) == (410, True)
    await person.call("POST", "/v1/auth/password/forgot", {"email": person.email}, "")
    token = link_token(await person.mail("Set a new password"))
    assert 'type="password"' in (await page(person, "GET", "/reset", params={"token": token}))[1]
    status, text = await page(person, "POST", "/reset", data={"token": token, "password": "password123"})
    assert (status, token in text, "easy to guess" in text) == (422, True, True)
    assert (await page(person, "POST", "/reset", data={"token": token, "password": OTHER}))[0] == 200
    assert "access_token" in await person.login(OTHER)


@pytest.mark.parametrize(
    "token", ["", "<script>alert(1)</script>", '"><img src=x>', "a" * 500, "é", "a\0b", "a b", "a\r\nX: y"]
)
async def test_a_broken_link_opens_a_page_that_says_so(person: Person, token: str) -> None:
    for path in ("/verify", "/reset"):
        status, text = await page(person, "GET", path, params={"token": token})
        assert (status, "not whole" in text) == (400, True)
        assert not re.search(r"<script|<img", text)
        status, text = await page(person, "POST", path, data={"token": token, "password": OTHER})
        assert status in (400, 410)
        assert not re.search(r"<script|<img", text)


async def test_pages_take_forms_only(person: Person) -> None:
    assert (await page(person, "POST", "/verify", json={"token": "x"}))[0] == 400
    with aiohttp.MultipartWriter("form-data") as form:
        form.append("x", {"Content-Disposition": 'form-data; name="token"; filename="x"'})
    assert (await page(person, "POST", "/reset", data=form))[0] == 400


async def test_a_lockout_says_when_to_come_back(person: Person) -> None:
    await person.join()
    for _ in range(10):
        assert (await person.login("wrong"))["code"] == "INVALID_CREDENTIALS"
    refused = await person.login()
    assert (refused["status"], refused["code"], refused["retryable"]) == (429, "TOO_MANY_ATTEMPTS", True)
    assert 0 < int(person.headers["Retry-After"]) <= 900
    await person.mail("Somebody tries to sign in to your account")


async def test_unknown_fields_and_odd_clients_do_no_harm(person: Person) -> None:
    body = {"name": "Eve", "email": person.email, "password": PASSWORD, "is_owner": True, "verified": True}
    status, said = await person.call("POST", "/v1/auth/register", body, "")
    assert (status, [error["field"] for error in said["errors"]]) == (422, ["is_owner", "verified"])
    await person.join()
    reader, writer = await asyncio.open_connection("127.0.0.1", person.plane.ports["gateway.listen"])
    payload = f'{{"email": "{person.email}", "password": "{PASSWORD}"}}'.encode()
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe evil\r\nContent-Type: application/json\r\n"
    writer.write(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(payload) + payload)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
