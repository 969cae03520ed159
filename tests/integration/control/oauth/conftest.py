"""Sign-in on a real database, with a real provider and with one that cheats."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from control.auth.oauth.outbound import Outbound
from control.auth.oauth.settings import OAuthSettings
from kernel.authority import become, platform
from kernel.database import Database
from stack.ports import free_ports
from tests.integration.control.auth.test_rest_people import Person
from tests.integration.control.driver import Plane
from tests.integration.control.oauth.evil import CLIENT, Evil
from tests.integration.control.oauth.surfer import Surfer
from tests.integration.control.processes import running
from tests.npm import provider

PUBLIC = "http://127.0.0.1:8000"
SECRET = "a secret that the provider and we share"
DASHBOARD = "https://app.example"
DOORS = ("auth.listen", "auth.admin", "gateway.listen", "gateway.admin")
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
def database(auth_database: Database) -> Database:
    return auth_database


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
    return OAuthSettings.model_validate({"public_url": PUBLIC, "dashboard_origin": DASHBOARD, **more})


def oidc(issuer: str, client: str, name: str = "evil", secret: str = SECRET) -> dict[str, str]:
    """The operator's words for a provider."""
    return {"id": name, "name": name, "issuer": issuer, "client_id": client, "client_secret": secret}


@pytest.fixture(scope="session")
def doors(plane: Plane) -> Iterator[Plane]:
    """The plane with a further auth and gateway on the same databases, which know a real provider named `acme`."""
    ports = dict(zip(DOORS, free_ports(len(DOORS)), strict=True))
    url = f"http://127.0.0.1:{ports['gateway.listen']}"
    client = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [f"{url}/v1/auth/oauth/acme/callback"],
    }
    with provider.running([client]) as where, tempfile.TemporaryDirectory(prefix="shipoff-doors-") as folder:
        environment = {
            **plane.environment,
            **{f"SHIPOFF_{door.replace('.', '_').upper()}": f"127.0.0.1:{ports[door]}" for door in DOORS},
            "SHIPOFF_AUTH_ADDRESS": f"127.0.0.1:{ports['auth.listen']}",
            "SHIPOFF_AUTH_CONSUMER": "doors",
            "SHIPOFF_AUTH_PUBLIC_URL": url,
            "SHIPOFF_GATEWAY_PUBLIC_URL": url,
            "SHIPOFF_AUTH_OAUTH_PROVIDERS": json.dumps([{**oidc(where, CLIENT, "acme"), "name": "Acme & Co"}]),
            "SHIPOFF_DASHBOARD_ORIGIN": DASHBOARD,
            "SHIPOFF_GATEWAY_RATE_AUTH": "0",  # all tests come from one address
            "SHIPOFF_GATEWAY_REPOS_DIR": plane.environment["SHIPOFF_GATEWAY_REPOS_DIR"],
            "SHIPOFF_RUN_DIR": f"{folder}/run",
        }
        with running(("auth", "gateway"), environment, Path(folder)):
            yield replace(plane, ports={**plane.ports, **ports}, environment=environment)


@pytest.fixture
async def person(doors: Plane) -> AsyncIterator[Person]:
    """Somebody who has an account with a password."""
    async with aiohttp.ClientSession(doors.url) as http:
        made = Person(doors, http)
        await made.join()
        yield made


@pytest.fixture
async def surfer(doors: Plane) -> AsyncIterator[Surfer]:
    """A browser."""
    async with Surfer(doors.url) as made:
        yield made
