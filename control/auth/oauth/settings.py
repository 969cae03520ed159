"""Which providers the operator has set up."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, Json, SecretStr, field_validator, model_validator

from kernel.settings import Settings

GOOGLE: Final = "google"
GITHUB: Final = "github"


class OidcSettings(BaseModel):
    """One OpenID provider of the operator's.

    Attributes:
        id: stands in its redirect address; lower case.
        name: on the button.
        issuer: its address, exactly as its discovery document says it.
        client_id, client_secret: as it gave them; an empty secret is a public client.
        authentication: how the secret is shown to it (OpenID Connect Core, section 9).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
    name: Annotated[str, Field(min_length=1, max_length=60)]
    issuer: str
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr = SecretStr("")
    authentication: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        if not is_safe(issuer):
            raise ValueError("an issuer is https://… (http:// is for providers on this machine)")
        return issuer


class OAuthSettings(Settings):
    """Settings of the service `auth` for sign-in by other providers.

    Attributes:
        public_url: under which browsers reach the gateway; providers send them back to
            `{public_url}/v1/auth/oauth/{provider}/callback`.
        dashboard_origin: scheme, host and port of the site whose pages may be gone back to after a sign-in; empty: the
            gateway's own alone.
        oauth_google_id, oauth_google_secret: of Google's console; empty: no Google.
        oauth_github_id, oauth_github_secret: of an OAuth or GitHub App; empty: no GitHub.
        oauth_github_url, oauth_github_api: GitHub itself, or an Enterprise Server (`https://HOST`, `https://HOST/api/v3`).
        oauth_providers: further OpenID providers, a JSON list of OidcSettings.
    """

    public_url: str = "http://127.0.0.1:8000"
    dashboard_origin: str = ""
    oauth_google_id: str = ""
    oauth_google_secret: SecretStr = SecretStr("")
    oauth_github_id: str = ""
    oauth_github_secret: SecretStr = SecretStr("")
    oauth_github_url: str = "https://github.com"
    oauth_github_api: str = "https://api.github.com"
    oauth_providers: Json[tuple[OidcSettings, ...]] = ()

    @model_validator(mode="after")
    def _are_unlike(self) -> Self:
        ids = [GOOGLE, GITHUB, *(provider.id for provider in self.oauth_providers)]
        if len(set(ids)) != len(ids):
            raise ValueError("two providers have one id (google and github are taken)")
        return self


def is_safe(url: str) -> bool:
    """Whether secrets may travel to an address: https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host) and "@" not in parts.netloc and not parts.fragment
    return parts.scheme == "http" and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
