"""A provider that cheats or is attacked, and one that is down: what a correct one will never send."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from control.auth.oauth import outbound as outbounds
from control.auth.oauth.discovery import Discovery
from control.auth.oauth.oidc import OidcProvider
from control.auth.oauth.outbound import Outbound
from control.auth.oauth.provider import Answer, Person, Secrets
from control.auth.oauth.settings import OidcSettings
from control.auth.one_time import secret as secrets
from kernel.errors import ShipoffError
from stack.ports import free_ports
from tests.integration.control.oauth import evil as tricks
from tests.integration.control.oauth.conftest import callback, oidc
from tests.integration.control.oauth.evil import CLIENT, Evil, forged


class Wicked:
    """Sign-in by the provider that cheats."""

    def __init__(self, outbound: Outbound, evil: Evil) -> None:
        self.evil = evil
        told = OidcSettings.model_validate(oidc(evil.issuer, CLIENT))
        self.provider = OidcProvider(told, outbound, Discovery(evil.issuer, outbound))

    async def go(self, issuer: str | None = None) -> Person:
        """The whole way."""
        browser = Secrets(secrets.make())
        self.evil.visited(await self.provider.address(callback("evil"), secrets.make(), browser))
        said = self.evil.issuer if issuer is None else issuer
        return await self.provider.person(Answer("x", said, callback("evil"), browser))

    async def fails(self, issuer: str | None = None) -> str:
        with pytest.raises(ShipoffError) as caught:
            await self.go(issuer)
        return f"{caught.value.code}: {caught.value.detail}"


@pytest.fixture
def wicked(outbound: Outbound, evil: Evil) -> Wicked:
    return Wicked(outbound, evil)


async def test_it_can_also_be_right(wicked: Wicked) -> None:
    assert await wicked.go() == Person(wicked.evil.issuer, "evil-ada", "ada@evil.example", True, "Ada")


def _hs256(evil: Evil) -> str:
    """Signed with the public key as if it were a secret."""
    head = {"alg": "HS256", "kid": evil.kid, "typ": "JWT"}
    return forged(evil, head, lambda body: hmac.digest(evil.public_pem, body, "sha256"))


def _confused(evil: Evil) -> str:
    """The same under the name of an algorithm that is accepted."""
    head = {"alg": "RS256", "kid": evil.kid}
    return forged(evil, head, lambda body: hmac.digest(evil.public_pem, body, "sha256"))


def _embedded(evil: Evil) -> str:
    """With a key of the attacker's in the head."""
    other = generate_private_key(65537, 2048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(other.public_key()))
    head = {"kid": evil.kid, "jwk": jwk, "jku": "http://127.0.0.1:1/"}
    return jwt.encode(evil.payload(), other, algorithm="RS256", headers=head)


@pytest.mark.parametrize(
    "make",
    [
        lambda evil: forged(evil, {"alg": "none"}, lambda _: b""),
        lambda evil: forged(evil, {"alg": "nOnE", "kid": evil.kid}, lambda _: b""),
        _hs256,
        _confused,
        _embedded,
        lambda evil: evil.sign(generate_private_key(65537, 2048)),
        lambda evil: evil.sign(kid="unknown"),
        lambda evil: jwt.encode(evil.payload(), evil.key, algorithm="RS512", headers={"kid": evil.kid}),
        lambda evil: jwt.encode(
            evil.payload(), evil.key, algorithm="RS256", headers={"kid": evil.kid, "crit": ["b64"]}
        ),
        lambda evil: evil.sign()[:-4] + "AAAA",
        lambda evil: evil.sign().rpartition(".")[0] + ".",
        lambda evil: "a.b.c",
        lambda evil: "",
        lambda evil: evil.sign() + "." + evil.sign(),
        lambda evil: "a" * 100_000,
    ],
)
async def test_a_token_that_the_issuer_did_not_sign_is_refused(wicked: Wicked, make: Callable[[Evil], str]) -> None:
    wicked.evil.make = make
    assert (await wicked.fails()).startswith("PROVIDER_ANSWER_INVALID")


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"nonce": "another's"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another client"}, "aud"),
        ({"aud": ["another client"]}, "aud"),
        ({"aud": [CLIENT, "another"]}, "azp"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "azp"),
        ({"azp": "another"}, "azp"),
        ({"aud": None}, "aud"),
        ({"iss": "https://accounts.google.com"}, "iss"),
        ({"iss": None}, "iss"),
        ({"exp": int(time.time()) - 120}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"iat": int(time.time()) + 3600}, "not valid"),
        ({"iat": None}, "iat"),
        ({"nbf": int(time.time()) + 3600}, "not yet valid"),
        ({"at_hash": tricks.half_hash("another access token")}, "at_hash"),
        ({"at_hash": 7}, ""),
        ({"sub": None}, "sub"),
        ({"sub": ""}, ""),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, ""),
    ],
)
async def test_a_token_for_another_sign_in_is_refused(wicked: Wicked, claims: dict[str, Any], named: str) -> None:
    wicked.evil.claims = claims
    told = await wicked.fails()
    assert told.startswith("PROVIDER_ANSWER_INVALID")
    assert named in told


@pytest.mark.parametrize("issuer", ["", "https://accounts.google.com"])
async def test_an_answer_of_another_provider_is_refused(wicked: Wicked, issuer: str) -> None:
    """Mix-up (RFC 9207): the code is not even shown to a provider that it is not from."""
    assert (await wicked.fails(issuer=issuer)).startswith("PROVIDER_ANSWER_INVALID")
    assert "token" not in wicked.evil.asked


async def test_an_issuer_that_does_not_announce_its_name_need_not_tell_it(wicked: Wicked) -> None:
    wicked.evil.document = {"authorization_response_iss_parameter_supported": False}
    await wicked.go(issuer="")
    assert (await wicked.fails(issuer="https://accounts.google.com")).startswith("PROVIDER_ANSWER_INVALID")


async def test_a_key_that_is_new_is_fetched_and_one_that_is_gone_is_not_believed(
    wicked: Wicked, evil: Evil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control.auth.oauth.discovery.RENEW_S", 0.0)
    old = evil.key
    await wicked.go()
    evil.key, evil.kid = generate_private_key(65537, 2048), "evil-2"
    await wicked.go()
    assert evil.asked.count("document") == 1
    evil.make = lambda evil: evil.sign(old, "evil-1")
    assert (await wicked.fails()).startswith("PROVIDER_ANSWER_INVALID")


async def test_unknown_keys_do_not_make_it_ask_over_and_over(wicked: Wicked) -> None:
    wicked.evil.make = lambda evil: evil.sign(kid="unknown")
    for _ in range(5):
        await wicked.fails()
    assert wicked.evil.asked.count("jwks") == 1


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://accounts.google.com"},
        {"issuer": None},
        {"authorization_endpoint": "http://example.org/auth"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": None},
        {"jwks_uri": "https://user@example.org/"},
    ],
)
async def test_a_document_that_is_not_right_begins_nothing(wicked: Wicked, document: dict[str, Any]) -> None:
    wicked.evil.document = document
    with pytest.raises(ShipoffError, match="PROVIDER_ANSWER_INVALID"):
        await wicked.provider.address(callback("evil"), "state", Secrets("browser"))


async def test_answers_about_two_people_are_refused(wicked: Wicked) -> None:
    wicked.evil.claims = {"email": None}
    wicked.evil.userinfo = {"sub": "evil-eve", "email": "eve@evil.example", "email_verified": True}
    assert (await wicked.fails()).startswith("PROVIDER_ANSWER_INVALID")
    wicked.evil.userinfo["sub"] = "evil-ada"
    assert (await wicked.go()).email == "eve@evil.example"


@pytest.mark.parametrize("verified", ["true", 1, "yes", None, [True]])
async def test_only_true_is_verified(wicked: Wicked, verified: object) -> None:
    wicked.evil.claims = {"email_verified": verified}
    assert not (await wicked.go()).verified


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (tricks.never, "PROVIDER_UNAVAILABLE"),
        (tricks.dripping, "PROVIDER_UNAVAILABLE"),
        (tricks.huge, "PROVIDER_ANSWER_INVALID"),
        (tricks.bomb, "PROVIDER_ANSWER_INVALID"),
    ],
)
async def test_a_provider_that_does_not_come_to_an_end_is_left(
    wicked: Wicked, monkeypatch: pytest.MonkeyPatch, answer: Any, code: str
) -> None:
    monkeypatch.setattr(outbounds, "WHOLE_S", 1.0)
    wicked.evil.token_answer = answer
    assert (await wicked.fails()).startswith(code)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, "oops", "PROVIDER_UNAVAILABLE"),
        (200, "[]", "PROVIDER_ANSWER_INVALID"),
        (200, "null", "PROVIDER_ANSWER_INVALID"),
        (200, "<html>", "PROVIDER_ANSWER_INVALID"),
        (200, "{}", "PROVIDER_ANSWER_INVALID"),
        (200, '{"access_token": 7, "id_token": 8}', "PROVIDER_ANSWER_INVALID"),
        (400, '{"error": "invalid_grant"}', "PROVIDER_REFUSED"),
        (200, '{"error": {"a": 1}}', "PROVIDER_REFUSED"),
        (302, "", "PROVIDER"),
    ],
)
async def test_nonsense_of_a_provider_is_an_error_of_its_own(wicked: Wicked, status: int, body: str, code: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        headers = {"Location": "http://127.0.0.1:1/"} if status == 302 else {}
        return web.Response(status=status, text=body, content_type="application/json", headers=headers)

    wicked.evil.token_answer = answer
    told = await wicked.fails()
    assert told.startswith(code)
    assert "INTERNAL" not in told


async def test_a_provider_that_is_down_is_unavailable(outbound: Outbound) -> None:
    discovery = Discovery(f"http://127.0.0.1:{free_ports(1)[0]}", outbound)
    with pytest.raises(ShipoffError, match="PROVIDER_UNAVAILABLE"):
        await discovery.metadata()


async def test_many_who_wait_for_a_silent_provider_are_told_with_the_first(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbounds, "WHOLE_S", 0.5)
    asked = 0

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(5)
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        discovery = Discovery(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", outbound)
        results = await asyncio.gather(*(discovery.metadata() for _ in range(20)), return_exceptions=True)
        server.close()
    assert {getattr(one, "code", "") for one in results} == {"PROVIDER_UNAVAILABLE"}
    assert asked == 1


async def test_what_was_published_serves_on_while_the_provider_is_silent(outbound: Outbound) -> None:
    async with Evil().running() as evil:
        discovery = Discovery(evil.issuer, outbound)
        known = await discovery.metadata()
        discovery._read_at = float("-inf")
    assert await discovery.metadata() == known


async def test_a_secret_is_in_no_repr(outbound: Outbound) -> None:
    told = OidcSettings.model_validate(oidc("https://id.example", CLIENT, secret="s3cret"))
    assert "s3cret" not in repr(OidcProvider(told, outbound, Discovery(told.issuer, outbound)))
