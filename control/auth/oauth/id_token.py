"""Reads ID tokens (OpenID Connect Core 1.0, section 3.1.3.7): who signed, for whom, when, and for which sign-in. Pure.

The algorithm is chosen from our list, and must be one for the kind of key that the issuer published: a token signed
with a public key as if it were a shared secret (HS256), or not at all (none), is refused before anything is computed.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any, Final

import jwt

from control.auth.oauth.provider import PROVIDER_ANSWER_INVALID

KEY_TYPES: Final = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
LEEWAY_S: Final = 60  # between the provider's clock and ours
TOKEN_LENGTH: Final = 16 * 1024  # characters
SUBJECT_LENGTH: Final = 255  # OpenID Connect Core, section 2
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "nonce")

Jwk = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say.

    Attributes:
        issuers: any of them.
        client_id: ours, as audience and authorized party.
        nonce: of the browser's sign-in.
        access_token: that came beside it, for at_hash.
    """

    issuers: tuple[str, ...]
    client_id: str
    nonce: str
    access_token: str


def head_of(token: object) -> tuple[str, str]:
    """The key id ("" for none) and the algorithm that a token names.

    Raises:
        ShipoffError: PROVIDER_ANSWER_INVALID, also for an algorithm that is not on the list.
    """
    if not isinstance(token, str) or len(token) > TOKEN_LENGTH:
        raise PROVIDER_ANSWER_INVALID("the provider sent no ID token")
    try:
        head = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise PROVIDER_ANSWER_INVALID("the ID token is malformed") from error
    algorithm, key_id = head.get("alg"), head.get("kid", "")
    if algorithm not in KEY_TYPES or not isinstance(key_id, str):
        raise PROVIDER_ANSWER_INVALID(f"the ID token is signed by {str(algorithm)[:20]!r}, which is not accepted")
    return key_id, algorithm


def pick(keys: list[Jwk], key_id: str, algorithm: str) -> Jwk | None:
    """The key that a token names; without a name the only one that can have signed it."""
    fit = [
        key
        for key in keys
        if key.get("kty") == KEY_TYPES[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (not key_id or key.get("kid") == key_id)
    ]
    return fit[0] if fit and (key_id or len(fit) == 1) else None


def read(token: str, key: Jwk, expected: Expected) -> dict[str, Any]:
    """The claims of a token that is right in everything.

    Args:
        token: as it came.
        key: that `pick` found for what `head_of` says.

    Raises:
        ShipoffError: PROVIDER_ANSWER_INVALID, saying which claim is wrong.
    """
    # Imported here: outbound.py says why.
    from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]  # it has no types
    from joserfc import jwt as jose
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    _, algorithm = head_of(token)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that RFC 9864 has more exact names for EdDSA, which providers don't use yet
            opened = jose.decode(token, import_key(_public(key)), algorithms=[algorithm])
        options: dict[str, dict[str, Any]] = {name: {"essential": True} for name in _REQUIRED}
        options["iss"]["values"] = list(expected.issuers)
        options["aud"]["value"] = expected.client_id
        told = {
            "nonce": expected.nonce,
            "client_id": expected.client_id,
            "access_token": expected.access_token,
        }
        claims = CodeIDToken(opened.claims, opened.header, options, told)
        claims.validate(int(time.time()), LEEWAY_S)
    except JoseError as error:
        raise PROVIDER_ANSWER_INVALID(f"the ID token is not valid: {str(error)[:120]}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PROVIDER_ANSWER_INVALID(f"the ID token is not valid: {type(error).__name__}") from error
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= SUBJECT_LENGTH:
        raise PROVIDER_ANSWER_INVALID("the ID token names nobody")
    return dict(claims)


def _public(key: Jwk) -> Jwk:
    """Without what would make the library refuse it for its purpose: `pick` has seen to that."""
    return {name: value for name, value in key.items() if name not in ("use", "key_ops", "alg", "kid")}
