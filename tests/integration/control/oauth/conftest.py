"""Sign-in on a real database, with a real provider and with one that cheats."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from control.auth.oauth.outbound import Outbound
from control.auth.oauth.settings import OAuthSettings
from kernel.authority import become, platform
from kernel.database import Database, migrate
from tests.integration.control.oauth.evil import Evil
from tests.npm import provider

PUBLIC = "http://127.0.0.1:8000"
SECRET = "a secret that the provider and we share"
SIGNERS = ("RS256", "ES256", "EdDSA")


def callback(name: str) -> str:
    return f"{PUBLIC}/v1/auth/oauth/{name}/callback"


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    """A real provider with a client for each algorithm, e.g. `real-es256`."""
    clients = [
        {
            "client_id": f"shipoff-{alg}",
            "client_secret": SECRET,
            "redirect_uris": [callback(f"real-{alg.lower()}")],
            "id_token_signed_response_alg": alg,
        }
        for alg in SIGNERS
    ]
    with provider.running(clients) as where:
        yield where


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url, "control.auth")
    opened = await Database.connect(database_url, max_size=8)
    yield opened
    await opened.close()


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    opened = Outbound()
    yield opened
    await opened.close()


@pytest.fixture
async def evil() -> AsyncIterator[Evil]:
    async with Evil().running() as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture(autouse=True)
def _as_the_gateway() -> None:
    become(platform("gateway"))


def settings(**more: object) -> OAuthSettings:
    return OAuthSettings.model_validate({"public_url": PUBLIC, "dashboard_url": "https://app.example", **more})


def oidc(issuer: str, client: str, name: str = "evil", secret: str = SECRET) -> dict[str, str]:
    """The operator's words for a provider."""
    return {"id": name, "name": name, "issuer": issuer, "client_id": client, "client_secret": secret}
