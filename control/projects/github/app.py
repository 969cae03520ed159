"""The GitHub App that the operator registered, and the token by which it speaks for itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kernel.errors import define

GITHUB_NOT_SET_UP = define(
    "GITHUB_NOT_SET_UP",
    source="client",
    status=409,
    hint="whoever runs the platform registers a GitHub App first: docs/webhooks.md",
)
GITHUB_KEY_INVALID = define("GITHUB_KEY_INVALID", hint="GITHUB_PRIVATE_KEY is the PEM file that GitHub gave out")
LIFE_S: Final = 540  # GitHub allows 600, by its own clock
BACKDATED_S: Final = 60  # as GitHub advises, against clocks that are ahead of its own


@dataclass(frozen=True, slots=True)
class App:
    """The App's settings.

    Attributes:
        app_id: issuer of the tokens.
        private_key: PEM.
        webhook_secret: signs what comes to /v1/webhooks/github.
        client_id, client_secret: of the user authorization, by which somebody proves to administer an installation.
        slug: in the App's own address.
        api_url, web_url: without a slash at the end; others for GitHub Enterprise Server.
    """

    app_id: str
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    slug: str = ""
    api_url: str = "https://api.github.com"
    web_url: str = "https://github.com"

    def token(self, now_s: float) -> str:
        """A JSON Web Token of the App itself (docs: "Generating a JSON Web Token (JWT) for a GitHub App").

        Raises:
            ShipoffError: GITHUB_KEY_INVALID.
        """
        import jwt  # a stack without an App does without

        now = int(now_s)
        claims = {"iat": now - BACKDATED_S, "exp": now + LIFE_S, "iss": self.app_id}
        try:
            return jwt.encode(claims, self.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise GITHUB_KEY_INVALID("the GitHub App's private key cannot be read") from None
