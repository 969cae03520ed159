"""What every provider of sign-ins is for us: it gets a browser with a question, and proves who came back."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Protocol

from kernel.errors import define

PROVIDER_UNAVAILABLE = define(
    "PROVIDER_UNAVAILABLE", status=503, retryable=True, hint="try again in a moment, or sign in another way"
)
PROVIDER_ANSWER_INVALID = define(
    "PROVIDER_ANSWER_INVALID", status=502, hint="begin again; if it stays, tell whoever runs the platform"
)
PROVIDER_REFUSED = define("PROVIDER_REFUSED", source="client", status=400, hint="begin the sign-in again")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one sign-in shares with one browser alone: everything else of it follows from this cookie.

    PKCE's verifier (RFC 7636) and the nonce are hashes of it, as OpenID Connect Core, section 15.5.2, suggests, so they
    are stored nowhere, and a code that another browser brings is worth nothing at the provider.

    Attributes:
        browser: 256 random bits, URL-safe base64.
    """

    browser: str = field(repr=False)

    @property
    def verifier(self) -> str:
        """For PKCE: 43 characters."""
        return self._derived("pkce")

    @property
    def nonce(self) -> str:
        """That an ID token must hold."""
        return self._derived("nonce")

    def _derived(self, purpose: str) -> str:
        return unpadded(hashlib.sha256(f"{purpose}:{self.browser}".encode()).digest())


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser brought back (RFC 6749, section 4.1.2).

    Attributes:
        code: to be exchanged.
        issuer: the parameter `iss` of RFC 9207, "" when there was none.
        redirect_uri: that the code was made for.
        secrets: of the browser.
    """

    code: str = field(repr=False)
    issuer: str
    redirect_uri: str
    secrets: Secrets


@dataclass(frozen=True, slots=True)
class Person:
    """Who a provider says that it is.

    Attributes:
        issuer: of the subject; with it the only thing that stays the same for a person.
        subject: at the issuer.
        email: "" when the provider tells none.
        verified: whether the provider says that the address is theirs.
        name: for people.
    """

    issuer: str
    subject: str
    email: str
    verified: bool
    name: str


class Provider(Protocol):
    """A provider of sign-ins."""

    @property
    def id(self) -> str:
        """In addresses."""

    @property
    def name(self) -> str:
        """On buttons."""

    async def address(self, redirect_uri: str, state: str, secrets: Secrets) -> str:
        """Where the browser goes.

        Raises:
            ShipoffError: PROVIDER_UNAVAILABLE, PROVIDER_ANSWER_INVALID.
        """

    async def person(self, answer: Answer) -> Person:
        """Exchanges the code and finds out who it is.

        Raises:
            ShipoffError: PROVIDER_REFUSED, PROVIDER_UNAVAILABLE, PROVIDER_ANSWER_INVALID.
        """


def unpadded(raw: bytes) -> str:
    """URL-safe base64 without padding (RFC 7636, appendix A)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
