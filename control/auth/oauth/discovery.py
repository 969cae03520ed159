"""What an issuer publishes of itself (OpenID Connect Discovery 1.0), and its keys: kept for an hour."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from control.auth.oauth.id_token import Jwk, pick
from control.auth.oauth.outbound import Outbound
from control.auth.oauth.provider import PROVIDER_ANSWER_INVALID, PROVIDER_UNAVAILABLE
from control.auth.oauth.settings import is_safe
from kernel.errors import ShipoffError

KEPT_S: Final = 3600.0
REST_S: Final = 5.0  # for which an issuer that did not answer is not asked again: others wait for the same answer
RENEW_S: Final = 10.0  # a key that is unknown makes it ask again this often at most
KEYS: Final = 100  # in a set


@dataclass(frozen=True, slots=True)
class Metadata:
    """The part of an issuer's document that we use.

    Attributes:
        authorization, token, userinfo, jwks: endpoints; userinfo may be "".
        tells_issuer: whether its answers name the issuer (RFC 9207).
    """

    authorization: str
    token: str
    userinfo: str
    jwks: str
    tells_issuer: bool


class Discovery:
    """One issuer's document and keys.

    Args:
        issuer: exactly as the document must say it (section 4.3).
        outbound: to ask with.
    """

    def __init__(self, issuer: str, outbound: Outbound) -> None:
        self._issuer, self._outbound = issuer, outbound
        self._metadata: Metadata | None = None
        self._keys: list[Jwk] = []
        self._read_at = self._keys_at = self._failed_at = float("-inf")
        self._asking = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """What it publishes; what was kept serves on while the issuer can't be asked.

        Raises:
            ShipoffError: PROVIDER_UNAVAILABLE, PROVIDER_ANSWER_INVALID.
        """
        async with self._asking:
            rests = _now() - self._failed_at < REST_S
            if not rests and (self._metadata is None or _now() - self._read_at >= KEPT_S):
                await self._renew()
            if self._metadata is None:
                raise PROVIDER_UNAVAILABLE("the provider did not answer a moment ago")
            return self._metadata

    async def _renew(self) -> None:
        try:
            document = await self._outbound.json(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        except ShipoffError as error:
            self._failed_at = _now()
            if self._metadata is None or error.code != PROVIDER_UNAVAILABLE.code:
                raise
        else:
            self._metadata, self._read_at = self._read(document), _now()

    async def key(self, key_id: str, algorithm: str) -> Jwk:
        """The key that a token names; the set is asked for anew when it is old or does not have it.

        Raises:
            ShipoffError: PROVIDER_ANSWER_INVALID when the issuer has no such key; PROVIDER_UNAVAILABLE.
        """
        where = (await self.metadata()).jwks
        async with self._asking:
            age, found = _now() - self._keys_at, pick(self._keys, key_id, algorithm)
            if age >= KEPT_S or (found is None and age >= RENEW_S):
                keys = (await self._outbound.json(where)).get("keys")
                if not isinstance(keys, list) or len(keys) > KEYS or not all(isinstance(key, dict) for key in keys):
                    raise PROVIDER_ANSWER_INVALID("the provider's set of keys has another form")
                self._keys, self._keys_at = keys, _now()
                found = pick(keys, key_id, algorithm)
        if found is None:
            raise PROVIDER_ANSWER_INVALID("the ID token is signed by a key that the provider does not publish")
        return found

    def _read(self, document: dict[str, Any]) -> Metadata:
        if document.get("issuer") != self._issuer:
            raise PROVIDER_ANSWER_INVALID(f"the document at {self._issuer} is another issuer's")
        return Metadata(
            authorization=_endpoint(document, "authorization_endpoint"),
            token=_endpoint(document, "token_endpoint"),
            userinfo=_endpoint(document, "userinfo_endpoint") if document.get("userinfo_endpoint") else "",
            jwks=_endpoint(document, "jwks_uri"),
            tells_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )


def _endpoint(document: dict[str, Any], name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not is_safe(url):
        raise PROVIDER_ANSWER_INVALID(f"the provider's {name} is no https address")
    return url


def _now() -> float:
    return asyncio.get_running_loop().time()
