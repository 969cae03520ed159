"""An OpenID provider: Google, and whatever else the operator names by its issuer."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any, Final

from control.auth.oauth import id_token
from control.auth.oauth.discovery import Discovery, Metadata
from control.auth.oauth.outbound import Outbound
from control.auth.oauth.provider import PROVIDER_ANSWER_INVALID, Answer, Person, Secrets
from control.auth.oauth.settings import OidcSettings

SCOPE: Final = "openid email profile"


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """Sign-in by the code flow (OpenID Connect Core 1.0, section 3.1).

    Args:
        settings: the operator's.
        outbound: to ask with.
        also: other spellings of the issuer in ID tokens. Google has one:
            https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
    """

    settings: OidcSettings
    outbound: Outbound
    discovery: Discovery = field(repr=False)
    also: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """In addresses."""
        return self.settings.id

    @property
    def name(self) -> str:
        """On buttons."""
        return self.settings.name

    async def address(self, redirect_uri: str, state: str, secrets: Secrets) -> str:
        """Where the browser goes; as Provider has it."""
        metadata = await self.discovery.metadata()
        async with self.outbound.client(**self._options(redirect_uri)) as client:
            url, _ = client.create_authorization_url(
                metadata.authorization, state=state, nonce=secrets.nonce, code_verifier=secrets.verifier
            )
        return str(url)

    async def person(self, answer: Answer) -> Person:
        """Exchanges the code and reads the ID token; as Provider has it."""
        metadata = await self.discovery.metadata()
        self._check_issuer(metadata, answer.issuer)
        async with self.outbound.client(**self._options(answer.redirect_uri)) as client:
            token = await client.fetch_token(
                metadata.token,
                grant_type="authorization_code",
                code=answer.code,
                redirect_uri=answer.redirect_uri,
                code_verifier=answer.secrets.verifier,
            )
        claims = await self._claims(dict(token), answer.secrets)
        if "email" not in claims and metadata.userinfo:
            claims = await self._more(metadata.userinfo, str(token["access_token"]), claims)
        return _person(self.settings.issuer, claims)

    def _check_issuer(self, metadata: Metadata, told: str) -> None:
        """That the answer came from this provider and not from another that a browser was confused with (RFC 9207)."""
        if told and told != self.settings.issuer:
            raise PROVIDER_ANSWER_INVALID("the answer is another provider's")
        if not told and metadata.tells_issuer:
            raise PROVIDER_ANSWER_INVALID("the answer does not name its issuer, as this provider's answers do")

    async def _claims(self, token: dict[str, Any], secrets: Secrets) -> dict[str, Any]:
        access_token = token.get("access_token")
        if not isinstance(access_token, str) or not access_token:
            raise PROVIDER_ANSWER_INVALID("the provider sent no access token")
        signed = token.get("id_token")
        key = await self.discovery.key(*id_token.head_of(signed))
        expected = id_token.Expected(
            (self.settings.issuer, *self.also), self.settings.client_id, secrets.nonce, access_token
        )
        return id_token.read(str(signed), key, expected)

    async def _more(self, url: str, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
        """The claims with those that the provider keeps for its UserInfo endpoint (section 5.3.2)."""
        told = await self.outbound.json(url, access_token)
        if not hmac.compare_digest(str(told.get("sub")).encode(), claims["sub"].encode()):
            raise PROVIDER_ANSWER_INVALID("the provider's answers are about two people")
        return {**told, **claims}

    def _options(self, redirect_uri: str) -> dict[str, Any]:
        secret = self.settings.client_secret.get_secret_value()
        return {
            "client_id": self.settings.client_id,
            "client_secret": secret,
            "token_endpoint_auth_method": self.settings.authentication if secret else "none",
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "code_challenge_method": "S256",
        }


def _person(issuer: str, claims: dict[str, Any]) -> Person:
    email, name = claims.get("email"), claims.get("name")
    return Person(
        issuer=issuer,
        subject=claims["sub"],
        email=email if isinstance(email, str) else "",
        verified=claims.get("email_verified") is True,  # and not the text "true": what is unclear is not verified
        name=name if isinstance(name, str) else "",
    )
