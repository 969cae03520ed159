"""The way to a provider and back: with a real one, and what an attacker changes on the way."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from control.auth.oauth.codes import Codes, Purpose, Taken
from control.auth.oauth.flow import Flow, Returned, Started
from control.auth.oauth.outbound import Outbound
from control.auth.oauth.providers import providers
from kernel.database import Database
from kernel.errors import ShipoffError
from tests.integration.control.oauth.conftest import SIGNERS, callback, oidc, settings
from tests.npm import provider

VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PAGE = "/login/return"


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def returned(started: Started, url: str, **change: str) -> Returned:
    """What the gateway passes on of the address that a browser comes back to."""
    given = query(url)
    told = {
        "state": given.get("state", ""),
        "browser": started.browser,
        "code": given.get("code", ""),
        "issuer": given.get("iss", ""),
        "error": given.get("error", ""),
    }
    return Returned(**{**told, **change})


class Real:
    """Sign-in by the real provider."""

    def __init__(self, database: Database, outbound: Outbound, issuer: str, browser: aiohttp.ClientSession) -> None:
        listed = [oidc(issuer, f"shipoff-{alg}", f"real-{alg.lower()}") for alg in SIGNERS]
        told = settings(oauth_providers=json.dumps(listed))
        self.flow = Flow(database, told, providers(told, outbound))
        self.codes, self.browser = Codes(database), browser

    async def start(self, name: str = "real-rs256", redirect: str = PAGE) -> Started:
        return await self.flow.start(name, redirect, CHALLENGE, Purpose.SIGN_IN)

    async def visit(self, started: Started, name: str = "real-rs256", **claims: str) -> str:
        person = {"sub": "ada", "email": "ada@example.org", "email_verified": "true", "name": "Ada", **claims}
        return await provider.sign_in(self.browser, started.url, callback(name), **person)

    async def taken(self, redirect: str) -> Taken:
        return await self.codes.take(query(redirect)["code"], VERIFIER, Purpose.SIGN_IN)


@pytest.fixture
def real(database: Database, outbound: Outbound, issuer: str, browser: aiohttp.ClientSession) -> Real:
    return Real(database, outbound, issuer, browser)


@pytest.mark.parametrize("alg", SIGNERS)
async def test_a_person_comes_back_proven_by_a_real_provider(real: Real, issuer: str, alg: str) -> None:
    name = f"real-{alg.lower()}"
    started = await real.start(name)
    asked = query(started.url)
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == callback(name)
    assert started.browser not in started.url
    url = await real.visit(started, name)
    back = await real.flow.finish(name, returned(started, url))
    assert back.startswith(PAGE + "?code=")
    taken = await real.taken(back)
    assert (taken.provider, taken.person is not None) == (name, True)
    assert taken.person is not None
    assert (taken.person.issuer, taken.person.subject, taken.person.email) == (issuer, "ada", "ada@example.org")
    assert (taken.person.verified, taken.person.name) == (True, "Ada")


async def test_what_the_provider_does_not_call_verified_is_not(real: Real) -> None:
    started = await real.start()
    url = await real.visit(started, email_verified="false")
    taken = await real.taken(await real.flow.finish("real-rs256", returned(started, url)))
    assert taken.person is not None and not taken.person.verified


async def test_nothing_of_a_sign_in_rests_in_the_database_in_clear(database: Database, real: Real) -> None:
    started = await real.start()
    row = await database.fetchrow("select * from oauth_flows")
    assert row is not None
    kept = str(dict(row))
    for secret in (started.state, started.browser):
        assert secret not in kept
    back = await real.flow.finish("real-rs256", returned(started, await real.visit(started)))
    assert await database.fetchval("select count(*) from oauth_flows") == 0
    assert query(back)["code"] not in str(dict(await database.fetchrow("select * from login_codes") or {}))


async def test_who_says_no_at_the_provider_comes_back_without_a_code(real: Real) -> None:
    started = await real.start()
    url = await real.visit(started, refuse="1")
    back = await real.flow.finish("real-rs256", returned(started, url))
    assert query(back)["error"] == "SIGN_IN_DENIED"
    assert "code" not in query(back)


async def test_a_code_of_the_provider_is_worth_nothing_with_another_sign_in(real: Real) -> None:
    victim, attacker = await real.start(), await real.start()
    url = await real.visit(victim)
    stolen = returned(attacker, url, state=attacker.state)
    assert query(await real.flow.finish("real-rs256", stolen))["error"] == "PROVIDER_REFUSED"  # PKCE


# --- state ------------------------------------------------------------------------------------------------------------


async def refused(flow: Flow, name: str, back: Returned) -> None:
    with pytest.raises(ShipoffError, match="STATE_INVALID"):
        await flow.finish(name, back)


async def test_a_state_is_good_once(real: Real) -> None:
    started = await real.start()
    back = returned(started, await real.visit(started))
    await real.flow.finish("real-rs256", back)
    await refused(real.flow, "real-rs256", back)


@pytest.mark.parametrize("state", ["", "x", "A" * 43, "é" * 43, "\0"])
async def test_a_tampered_state_is_refused(real: Real, state: str) -> None:
    started = await real.start()
    await refused(real.flow, "real-rs256", returned(started, await real.visit(started), state=state))


@pytest.mark.parametrize("cookie", ["", "A" * 43, "é"])
async def test_a_state_of_another_browser_is_refused_and_used_up(real: Real, cookie: str) -> None:
    attacker = await real.start()
    url = await real.visit(attacker)
    await refused(real.flow, "real-rs256", returned(attacker, url, browser=cookie))
    await refused(real.flow, "real-rs256", returned(attacker, url))


async def test_a_state_of_another_provider_is_refused(real: Real) -> None:
    started = await real.start("real-rs256")
    url = await real.visit(started)
    await refused(real.flow, "real-es256", returned(started, url))
    await refused(real.flow, "nobody", returned(await real.start("real-rs256"), url))


async def test_a_state_is_over_after_ten_minutes(database: Database, real: Real) -> None:
    started = await real.start()
    url = await real.visit(started)
    left = await database.fetchval("select extract(epoch from expires_at - now())::float8 from oauth_flows")
    assert 590 < left <= 600
    await database.execute("update oauth_flows set expires_at = now()")
    await refused(real.flow, "real-rs256", returned(started, url))


# --- where it begins and ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("redirect", [PAGE, "https://app.example/", "https://app.example/projects?tab=1"])
async def test_browsers_go_on_to_pages_of_ours(real: Real, redirect: str) -> None:
    started = await real.start(redirect=redirect)
    back = await real.flow.finish("real-rs256", returned(started, await real.visit(started)))
    assert back.startswith(redirect)
    await real.taken(back)


async def test_a_provider_that_is_not_set_up_is_unknown(real: Real) -> None:
    with pytest.raises(ShipoffError, match="PROVIDER_UNKNOWN"):
        await real.start("google")


@pytest.mark.parametrize("challenge", ["", "x" * 42, "x" * 44, "é" * 43, "=" * 43])
async def test_a_challenge_has_one_form(real: Real, challenge: str) -> None:
    with pytest.raises(ShipoffError, match="CODE_CHALLENGE_INVALID"):
        await real.flow.start("real-rs256", PAGE, challenge, Purpose.SIGN_IN)


# --- codes ------------------------------------------------------------------------------------------------------------


async def test_a_code_is_good_once_for_who_knows_the_verifier(real: Real) -> None:
    back = await real.flow.finish("real-rs256", returned(s := await real.start(), await real.visit(s)))
    code = query(back)["code"]
    with pytest.raises(ShipoffError, match="CODE_INVALID"):
        await real.codes.take(code, secrets.token_urlsafe(32), Purpose.SIGN_IN)
    with pytest.raises(ShipoffError, match="CODE_INVALID"):  # one wrong try uses it up
        await real.codes.take(code, VERIFIER, Purpose.SIGN_IN)


@pytest.mark.parametrize("verifier", ["", "x" * 42, "x" * 129, CHALLENGE])
async def test_the_challenge_is_no_verifier(real: Real, verifier: str) -> None:
    back = await real.flow.finish("real-rs256", returned(s := await real.start(), await real.visit(s)))
    with pytest.raises(ShipoffError, match="CODE_INVALID"):
        await real.codes.take(query(back)["code"], verifier, Purpose.SIGN_IN)


async def test_a_code_to_link_is_none_to_sign_in(real: Real) -> None:
    started = await real.flow.start("real-rs256", PAGE, CHALLENGE, Purpose.LINK)
    back = await real.flow.finish("real-rs256", returned(started, await real.visit(started)))
    with pytest.raises(ShipoffError, match="CODE_INVALID"):
        await real.codes.take(query(back)["code"], VERIFIER, Purpose.SIGN_IN, Purpose.GRANT)


async def test_a_code_is_over_after_a_minute(database: Database, real: Real) -> None:
    back = await real.flow.finish("real-rs256", returned(s := await real.start(), await real.visit(s)))
    left = await database.fetchval("select extract(epoch from expires_at - now())::float8 from login_codes")
    assert 50 < left <= 60
    await database.execute("update login_codes set expires_at = now()")
    with pytest.raises(ShipoffError, match="CODE_INVALID"):
        await real.taken(back)
