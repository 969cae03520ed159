"""GitHub's flow against a local server that answers in the shapes of GitHub's OpenAPI (npm @octokit/openapi)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from control.auth.oauth.github import GithubProvider
from control.auth.oauth.outbound import Outbound
from control.auth.oauth.provider import Answer, Secrets
from control.auth.one_time import secret as secrets
from kernel.errors import ShipoffError
from tests.integration.control.oauth.conftest import callback
from tests.npm.modules import modules

TOKEN = "gho_of_a_test"


def examples() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The published examples of GET /user and GET /user/emails."""
    with (modules() / "@octokit/openapi/generated/api.github.com.json").open() as file:
        document = json.load(file)

    def example(path: str, name: str) -> Any:
        content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        found = content["examples"][name]
        while "$ref" in found:
            at: Any = document
            for part in found["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            found = at
        return found["value"]

    return example("/user", "response-with-public-and-private-profile-information"), example("/user/emails", "default")


class GitHub:
    """Answers as GitHub does."""

    def __init__(self) -> None:
        self.user, self.emails = examples()
        self.url, self.challenge = "", ""
        self.status = 200

    async def token(self, request: web.Request) -> web.Response:
        given = await request.post()
        right = base64.urlsafe_b64encode(hashlib.sha256(str(given["code_verifier"]).encode()).digest()).rstrip(b"=")
        fits = right.decode() == self.challenge and (given["client_id"], given["client_secret"]) == ("id", "secret")
        if not fits or given["redirect_uri"] != callback("github"):
            # GitHub says so with status 200
            return web.json_response({"error": "bad_verification_code", "error_description": "The code is incorrect"})
        return web.json_response({"access_token": TOKEN, "scope": "read:user,user:email", "token_type": "bearer"})

    def api(self, value: Any) -> Any:
        async def answer(request: web.Request) -> web.Response:
            assert request.headers["Authorization"] == f"Bearer {TOKEN}"
            assert request.headers["Accept"] == "application/vnd.github+json"
            assert request.headers["X-GitHub-Api-Version"]
            return web.json_response(getattr(self, value), status=self.status)

        return answer


@pytest.fixture
async def github() -> AsyncIterator[GitHub]:
    made, app = GitHub(), web.Application()
    app.router.add_post("/login/oauth/access_token", made.token)
    app.router.add_get("/api/user", made.api("user"))
    app.router.add_get("/api/user/emails", made.api("emails"))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def person(github: GitHub, outbound: Outbound, issuer: str = "") -> Any:
    provider = GithubProvider("id", "secret", github.url, f"{github.url}/api", outbound)
    browser = Secrets(secrets.make())
    asked = urlsplit(await provider.address(callback("github"), "the state", browser))
    given = {name: values[0] for name, values in parse_qs(asked.query).items()}
    assert (asked.path, given["state"], given["code_challenge_method"]) == (
        "/login/oauth/authorize",
        "the state",
        "S256",
    )
    github.challenge = github.challenge or given["code_challenge"]
    return await provider.person(Answer("x", issuer, callback("github"), browser))


async def test_a_user_of_github_is_who_their_number_says(github: GitHub, outbound: Outbound) -> None:
    found = await person(github, outbound)
    primary = next(one for one in github.emails if one["primary"])
    assert (found.issuer, found.subject) == (github.url, str(github.user["id"]))
    assert (found.email, found.verified, found.name) == (primary["email"], primary["verified"], github.user["name"])


async def test_the_public_address_of_a_profile_proves_nothing(github: GitHub, outbound: Outbound) -> None:
    github.user["email"] = "victim@example.org"
    github.emails = [{"email": "me@example.org", "verified": False, "primary": True, "visibility": None}]
    found = await person(github, outbound)
    assert (found.email, found.verified) == ("me@example.org", False)
    github.challenge, github.emails = "", []
    assert (await person(github, outbound)).email == ""


@pytest.mark.parametrize("number", [None, 0, -1, "1", True, 1.5])
async def test_a_user_without_a_number_is_nobody(github: GitHub, outbound: Outbound, number: object) -> None:
    github.user["id"] = number
    with pytest.raises(ShipoffError, match="PROVIDER_ANSWER_INVALID"):
        await person(github, outbound)


async def test_a_code_of_another_browser_is_refused(github: GitHub, outbound: Outbound) -> None:
    github.challenge = "of another browser"
    with pytest.raises(ShipoffError, match="PROVIDER_REFUSED: the provider refused: 'bad_verification_code'"):
        await person(github, outbound)


async def test_an_answer_of_another_provider_is_refused(github: GitHub, outbound: Outbound) -> None:
    with pytest.raises(ShipoffError, match="PROVIDER_ANSWER_INVALID"):
        await person(github, outbound, "https://accounts.google.com")
    github.challenge = ""
    assert await person(github, outbound, f"{github.url}/login/oauth")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "PROVIDER_ANSWER_INVALID"),
        (403, "PROVIDER_ANSWER_INVALID"),
        (429, "PROVIDER_UNAVAILABLE"),
        (503, "PROVIDER_UNAVAILABLE"),
    ],
)
async def test_an_api_that_refuses_is_an_error(github: GitHub, outbound: Outbound, status: int, code: str) -> None:
    github.status = status
    with pytest.raises(ShipoffError, match=code):
        await person(github, outbound)


@pytest.mark.parametrize(("user", "emails"), [([], []), ({"id": 1}, {}), ({"id": 1}, [1]), (None, None)])
async def test_answers_of_another_form_are_an_error(github: GitHub, outbound: Outbound, user: Any, emails: Any) -> None:
    github.user, github.emails = user, emails
    with pytest.raises(ShipoffError, match="PROVIDER_ANSWER_INVALID"):
        await person(github, outbound)
