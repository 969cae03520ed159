"""A principal on its way from auth to another service: a JSON Web Token (RFC 7519), signed by auth, good for a minute.

Only auth can make one, so a gateway that was taken over can't become somebody who has not come by. It is no access
token: type and audience differ (RFC 8725, sections 3.9 and 3.11), and neither is taken for the other.
"""

from __future__ import annotations

from typing import Any, Final

import jwt
from jwt.algorithms import OKPAlgorithm

from kernel.authority.principal import Kind, Principal
from kernel.errors import define

PASSPORT_INVALID = define(
    "PASSPORT_INVALID", source="platform", status=401, retryable=True, hint="try again; are the machines' clocks right?"
)
TYPE: Final = "passport+jwt"
ISSUER: Final = "shipoff-auth"
AUDIENCE: Final = "shipoff-services"
LIFE_S: Final = 60
LEEWAY_S: Final = 30  # between the clocks of two machines
ALGORITHM: Final = "EdDSA"  # RFC 8037; the only one that is accepted, whatever a token's head says


def claims_of(who: Principal, now_s: float) -> dict[str, Any]:
    """What auth signs."""
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": int(now_s),
        "exp": int(now_s) + LIFE_S,
        "sub": who.account_id,
        "kind": who.kind.value,
        "name": who.name,
        "credential": who.credential_id,
        "teams": dict(who.teams),
        "projects": dict(who.projects),
        "scopes": None if who.scopes is None else sorted(who.scopes),
        "only_project": who.only_project,
        "address": who.address,
    }


def key_id(passport: str) -> str:
    """Which key is said to have signed it.

    Raises:
        ShipoffError: PASSPORT_INVALID.
    """
    try:
        head = jwt.get_unverified_header(passport)
    except jwt.PyJWTError as error:
        raise PASSPORT_INVALID("the passport is malformed") from error
    if head.get("typ") != TYPE or not isinstance(head.get("kid"), str):
        raise PASSPORT_INVALID("the token is no passport")
    return str(head["kid"])


def read(passport: str, jwk: dict[str, str]) -> Principal:
    """The principal that a passport stands for.

    Args:
        passport: as it came.
        jwk: the public key that `key_id` names (RFC 8037).

    Raises:
        ShipoffError: PASSPORT_INVALID.
    """
    try:
        key: Any = OKPAlgorithm.from_jwk(dict(jwk))
        claims = jwt.decode(
            passport,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iat", "sub"]},
        )
        return Principal(
            kind=Kind(claims["kind"]),
            account_id=claims["sub"],
            name=claims["name"],
            credential_id=claims["credential"],
            teams=claims["teams"],
            projects=claims["projects"],
            scopes=None if claims["scopes"] is None else frozenset(claims["scopes"]),
            only_project=claims["only_project"],
            address=claims["address"],
        )
    except (jwt.PyJWTError, KeyError, ValueError, TypeError) as error:
        raise PASSPORT_INVALID(f"the passport is not valid: {type(error).__name__}") from error
