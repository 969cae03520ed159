"""GitHub, which speaks OAuth 2 and tells by its API who came.

https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from control.auth.oauth.outbound import Outbound
from control.auth.oauth.provider import PROVIDER_ANSWER_INVALID, Answer, Person, Secrets
from control.auth.oauth.settings import GITHUB

SCOPE: Final = "read:user user:email"
API: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


@dataclass(frozen=True, slots=True)
class GithubProvider:
    """Sign-in by GitHub or an Enterprise Server.

    Args:
        client_id, client_secret: of the app.
        url: of the web.
        api: of the REST API.
        outbound: to ask with.
    """

    client_id: str
    client_secret: str = field(repr=False)
    url: str
    api: str
    outbound: Outbound
    id: str = GITHUB
    name: str = "GitHub"

    async def address(self, redirect_uri: str, state: str, secrets: Secrets) -> str:
        """Where the browser goes; as Provider has it."""
        async with self.outbound.client(**self._options(redirect_uri)) as client:
            where = f"{self.url}/login/oauth/authorize"
            url, _ = client.create_authorization_url(where, state=state, code_verifier=secrets.verifier)
        return str(url)

    async def person(self, answer: Answer) -> Person:
        """Exchanges the code and asks the API; as Provider has it."""
        if answer.issuer and answer.issuer != f"{self.url}/login/oauth":
            raise PROVIDER_ANSWER_INVALID("the answer is another provider's")
        async with self.outbound.client(**self._options(answer.redirect_uri)) as client:
            token = await client.fetch_token(
                f"{self.url}/login/oauth/access_token",
                grant_type="authorization_code",
                code=answer.code,
                redirect_uri=answer.redirect_uri,
                code_verifier=answer.secrets.verifier,
            )
        access_token = token.get("access_token")
        if not isinstance(access_token, str) or not access_token:
            raise PROVIDER_ANSWER_INVALID("GitHub sent no access token")
        user = await self.outbound.json(f"{self.api}/user", access_token, API)
        emails = await self.outbound.json(f"{self.api}/user/emails?per_page=100", access_token, API, many=True)
        return self._person(user, emails)

    def _person(self, user: dict[str, Any], emails: list[dict[str, Any]]) -> Person:
        """GitHub's id for a user stays when the login changes hands, so the login proves nothing."""
        number, login, name = user.get("id"), user.get("login"), user.get("name")
        if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
            raise PROVIDER_ANSWER_INVALID("GitHub's answer names nobody")
        primary = next((one for one in emails if one.get("primary") is True), {})
        email = primary.get("email")
        return Person(
            issuer=self.url,
            subject=str(number),
            email=email if isinstance(email, str) else "",
            verified=primary.get("verified") is True,
            name=name if isinstance(name, str) and name else str(login or ""),
        )

    def _options(self, redirect_uri: str) -> dict[str, Any]:
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "token_endpoint_auth_method": "client_secret_post",
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "code_challenge_method": "S256",
        }
