"""The cookies of the gateway's pages.

Over https all are `__Host-`: of this host alone, so no neighbour's page can set or read them (RFC 6265bis, section
4.1.3.2). `SameSite=Lax` lets them come along when a provider sends the browser back, and with no form of another site.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from control.gateway.call import Call

PAGE: Final = "shipoff-page"
SIGNED_IN: Final = "shipoff-signed-in"
WAY: Final = "shipoff-way"
FLOW: Final = "shipoff-flow-"
PAGE_S: Final = 3600
SIGNED_IN_S: Final = 600  # no longer than an access token is good for
FLOW_S: Final = 600
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Cookies:
    """Those of one request.

    Args:
        request: that brings them.
        secure: whether people reach the gateway by https.
    """

    request: web.Request
    secure: bool

    @classmethod
    def of(cls, call: Call) -> Cookies:
        """Of a call."""
        return cls(call.request, call.parts.settings.public_url.startswith("https://"))

    def get(self, name: str) -> str:
        """A cookie's value, or ""."""
        return self.request.cookies.get(self._full(name), "")

    def put(self, response: web.StreamResponse, name: str, value: str, max_age_s: int) -> None:
        """Sets a cookie."""
        response.set_cookie(
            self._full(name), value, max_age=max_age_s, path="/", secure=self.secure, httponly=True, samesite="Lax"
        )

    def drop(self, response: web.StreamResponse, name: str) -> None:
        """Takes a cookie away."""
        response.del_cookie(self._full(name), path="/", secure=self.secure, httponly=True, samesite="Lax")

    def page(self) -> str:
        """The secret that this browser shares with its pages' forms; "" before the first page."""
        value = self.get(PAGE)
        return value if _FORM.fullmatch(value) else ""

    def _full(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name


def fresh() -> str:
    """256 random bits: a cookie's value, or a verifier (RFC 7636)."""
    return secrets.token_urlsafe(32)


def flow_name(state: str) -> str:
    """The name of the cookie of one way to a provider, so that two tabs don't take each other's."""
    return FLOW + hashlib.sha256(state.encode()).hexdigest()[:16]


def form_token(page: str) -> str:
    """What a form of a page carries: only who can read the page or its cookie knows it."""
    return base64.urlsafe_b64encode(hmac.digest(page.encode(), b"form", "sha256")).rstrip(b"=").decode()


def challenge_of(verifier: str) -> str:
    """S256 (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
