"""A passport says who asks, and only auth can make one."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from kernel.authority import passport
from kernel.authority.border import Border, Jwks
from kernel.authority.principal import NOBODY, Kind, Principal, acting_as, become, current
from kernel.errors import ShipoffError

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
WHO = Principal(
    Kind.TOKEN,
    account_id="acc_1",
    name="ada@example.org",
    credential_id="tok_1",
    teams={"tem_1": "ADMIN"},
    projects={"prj_1": "VIEWER"},
    scopes=frozenset({"PROJECT:READ"}),
    only_project="prj_1",
    address="192.0.2.1",
)


def public(key: Ed25519PrivateKey) -> dict[str, str]:
    found: Any = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return dict(found)


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "EdDSA", **head: Any) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"typ": passport.TYPE, "kid": "key_1", **head})


def test_it_carries_all_that_a_decision_needs() -> None:
    assert passport.read(signed(passport.claims_of(WHO, time.time())), public(KEY)) == WHO
    whole = Principal(Kind.SESSION, account_id="acc_1")
    assert passport.read(signed(passport.claims_of(whole, time.time())), public(KEY)) == whole


@pytest.mark.parametrize(
    "change",
    [{"aud": "shipoff-api"}, {"iss": "evil"}, {"exp": 1}, {"kind": "god"}, {"teams": None}, {"sub": None}],
)
def test_what_differs_is_refused(change: dict[str, Any]) -> None:
    claims = {**passport.claims_of(WHO, time.time()), **change}
    if claims["teams"] is None:
        del claims["teams"]
    with pytest.raises(ShipoffError, match="PASSPORT_INVALID"):
        passport.read(signed(claims), public(KEY))


def test_no_other_key_and_no_other_algorithm_will_do() -> None:
    claims = passport.claims_of(WHO, time.time())
    confused = jwt.encode(claims, public(KEY)["x"], algorithm="HS256", headers={"typ": passport.TYPE, "kid": "key_1"})
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"typ": passport.TYPE, "kid": "key_1"})
    for forged in (signed(claims, OTHER), confused, unsigned):
        with pytest.raises(ShipoffError, match="PASSPORT_INVALID"):
            passport.read(forged, public(KEY))


@pytest.mark.parametrize("head", [{"typ": "at+jwt"}, {"typ": None}])
def test_another_kind_of_token_is_no_passport(head: dict[str, Any]) -> None:
    with pytest.raises(ShipoffError, match="PASSPORT_INVALID"):
        passport.key_id(signed(passport.claims_of(WHO, time.time()), **head))


class Keys:
    def __init__(self) -> None:
        self.asked = 0

    async def fetch(self) -> Jwks:
        self.asked += 1
        return {"key_1": public(KEY)}


async def test_the_border_knows_the_platform_people_and_nobody() -> None:
    keys = Keys()
    border = Border(keys.fetch)
    with acting_as(NOBODY):
        await border.enter("platform:orchestrator")
        assert (current().kind, current().name) == (Kind.PLATFORM, "orchestrator")
        await border.enter(signed(passport.claims_of(WHO, time.time())))
        assert current() == WHO
        become(WHO)
        await border.enter("")
        assert current() == NOBODY


async def test_unknown_keys_make_it_ask_but_not_all_the_time() -> None:
    keys = Keys()
    border = Border(keys.fetch)
    for _ in range(5):
        with pytest.raises(ShipoffError, match="PASSPORT_INVALID"):
            await border.enter(signed(passport.claims_of(WHO, time.time()), kid="key_9"))
    assert keys.asked == 1
