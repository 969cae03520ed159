"""The providers that the operator has set up, by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from control.auth.oauth.discovery import Discovery
from control.auth.oauth.github import GithubProvider
from control.auth.oauth.oidc import OidcProvider
from control.auth.oauth.outbound import Outbound
from control.auth.oauth.provider import Provider
from control.auth.oauth.settings import GOOGLE, OAuthSettings, OidcSettings

GOOGLE_ISSUER: Final = "https://accounts.google.com"


def providers(settings: OAuthSettings, outbound: Outbound) -> Mapping[str, Provider]:
    """All of them, in the order in which they are shown."""
    found: dict[str, Provider] = {}
    if settings.oauth_google_id:
        google = OidcSettings(
            id=GOOGLE,
            name="Google",
            issuer=GOOGLE_ISSUER,
            client_id=settings.oauth_google_id,
            client_secret=settings.oauth_google_secret,
        )
        found[google.id] = _oidc(google, outbound, ("accounts.google.com",))
    if settings.oauth_github_id:
        github = GithubProvider(
            settings.oauth_github_id,
            settings.oauth_github_secret.get_secret_value(),
            settings.oauth_github_url.rstrip("/"),
            settings.oauth_github_api.rstrip("/"),
            outbound,
        )
        found[github.id] = github
    return found | {one.id: _oidc(one, outbound) for one in settings.oauth_providers}


def _oidc(settings: OidcSettings, outbound: Outbound, also: tuple[str, ...] = ()) -> OidcProvider:
    return OidcProvider(settings, outbound, Discovery(settings.issuer, outbound), also)
