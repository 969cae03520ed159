"""Whose account a person is whom a provider has proven."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from typing import Any

import pyotp
import pytest

from control.auth.caller import Client
from control.auth.oauth.codes import Codes, Purpose
from control.auth.oauth.parts import OAuth
from control.auth.oauth.provider import Person
from control.auth.oauth.settings import OAuthSettings
from kernel.authority import Kind, Principal, acting_as
from kernel.errors import ShipoffError
from proto.auth.v1 import oauth_pb2 as pb
from proto.auth.v1 import sessions_pb2, two_factor_pb2
from tests.integration.control.auth.conftest import MakeRig
from tests.integration.control.auth.rig import CLIENT, EMAIL, NO_CONTEXT, PASSWORD, Rig

ISSUER = "https://id.example"
WHERE = Client("192.0.2.7", "a test")


class Door:
    """Comes back from a provider as somebody, and goes on."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.oauth = OAuth(OAuthSettings(), rig.database, rig.people)
        self.server, self.codes = self.oauth.server, Codes(rig.database)

    async def code(self, purpose: Purpose = Purpose.SIGN_IN, **who: Any) -> tuple[str, str]:
        """A code, as the callback makes it, and its verifier."""
        said = {"issuer": ISSUER, "subject": "1", "email": EMAIL, "verified": True, "name": "Ada", **who}
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return await self.codes.for_person(purpose, challenge, "acme", Person(**said)), verifier

    async def enter(self, **who: Any) -> sessions_pb2.LoginResponse:
        code, verifier = await self.code(**who)
        request = pb.ExchangeCodeRequest(code=code, verifier=verifier, client=CLIENT)
        return await self.server.ExchangeCode(request, NO_CONTEXT)

    async def account(self, **who: Any) -> str:
        return (await self.enter(**who)).tokens.account_id

    async def link(self, principal: Principal, **who: Any) -> None:
        code, verifier = await self.code(Purpose.LINK, **who)
        with acting_as(principal):
            await self.server.LinkIdentity(
                pb.LinkIdentityRequest(code=code, verifier=verifier, client=CLIENT), NO_CONTEXT
            )

    async def identities(self, principal: Principal) -> list[pb.Identity]:
        with acting_as(principal):
            return list((await self.server.ListIdentities(pb.ListIdentitiesRequest(), NO_CONTEXT)).identities)

    async def unlink(self, principal: Principal, identity_id: str) -> None:
        with acting_as(principal):
            request = pb.UnlinkIdentityRequest(identity_id=identity_id, client=CLIENT)
            await self.server.UnlinkIdentity(request, NO_CONTEXT)

    async def actions(self) -> list[str]:
        rows = await self.rig.database.fetch("select action from audit_events order by id")
        return [row["action"] for row in rows]


@pytest.fixture
def door(rig: Rig) -> Door:
    return Door(rig)


async def test_who_is_new_gets_an_account_with_a_team(door: Door, rig: Rig) -> None:
    tokens = (await door.enter()).tokens
    who = await rig.principal(tokens.access_token)
    assert (who.name, dict(who.teams)) == (EMAIL, {f"tem_{who.account_id[4:]}": "OWNER"})
    row = await rig.database.fetchrow("select * from accounts")
    assert row is not None
    assert (row["name"], row["verified_at"] is not None, row["password_hash"]) == ("Ada", True, None)
    assert await door.account() == tokens.account_id
    assert await rig.mails() == []


async def test_an_identity_stays_whose_it_is_whatever_its_address_becomes(door: Door, rig: Rig) -> None:
    await rig.join()
    first = await door.account()
    await rig.join("eve@example.org", PASSWORD)
    # the provider's address changes to another's, even unverified
    assert await door.account(email="eve@example.org") == first
    assert await door.account(email="", verified=False) == first


async def test_a_verified_address_links_a_verified_account_and_its_owner_is_told(door: Door, rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    await rig.mails()
    assert await door.account(email=EMAIL.upper()) == who.account_id
    assert await rig.mails() == [(EMAIL, "acme was linked to your account")]
    assert "identity.create" in await door.actions()
    assert (await rig.enter()).tokens.access_token  # the password is theirs, and stays


@pytest.mark.parametrize("said", [{"verified": False}, {"email": ""}, {"email": "", "verified": True}])
async def test_an_unverified_address_neither_links_nor_makes(door: Door, rig: Rig, said: dict[str, object]) -> None:
    await rig.join()
    with pytest.raises(ShipoffError, match="PROVIDER_EMAIL_UNVERIFIED"):
        await door.enter(**said)
    assert await rig.database.fetchval("select count(*) from identities") == 0


@pytest.mark.parametrize("email", ["nobody", "a@b@c", "a b@example.org", "x" * 400 + "@example.org", "a@[127.0.0.1]"])
async def test_what_is_no_address_is_refused(door: Door, email: str) -> None:
    with pytest.raises(ShipoffError, match="EMAIL_INVALID"):
        await door.enter(email=email)


async def test_nothing_survives_of_an_account_that_waited_for_its_victim(door: Door, rig: Rig) -> None:
    """Pre-hijacking: the attacker registers the victim's address, the victim comes by a provider."""
    await rig.register(EMAIL, "the attacker's own password", name="Eve")
    waiting = await rig.token()  # the link in the mail, which the victim may open later
    before = await rig.database.fetchval("select id from accounts")
    victim = await door.account()
    assert victim != before
    assert await rig.database.fetchval("select count(*) from accounts") == 1
    assert await rig.database.fetchval("select count(*) from teams") == 1
    with pytest.raises(ShipoffError, match="INVALID_CREDENTIALS"):
        await rig.enter(EMAIL, "the attacker's own password")
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await rig.verify(waiting)
    row = await rig.database.fetchrow("select * from accounts")
    assert row is not None and (row["name"], row["password_hash"]) == ("Ada", None)


async def test_registering_again_what_a_provider_verified_takes_nothing(door: Door, rig: Rig) -> None:
    victim = await door.account()
    await rig.register(EMAIL, "the attacker's own password", name="Eve")
    assert await rig.mails() == [(EMAIL, rig.last[0]["Subject"])]
    with pytest.raises(ShipoffError, match="INVALID_CREDENTIALS"):
        await rig.enter(EMAIL, "the attacker's own password")
    assert await door.account() == victim


async def test_many_first_sign_ins_at_once_make_one_account(door: Door, rig: Rig) -> None:
    found = await asyncio.gather(*(door.account() for _ in range(8)))
    assert len(set(found)) == 1
    assert await rig.database.fetchval("select count(*) from accounts") == 1
    assert await rig.database.fetchval("select count(*) from identities") == 1


async def test_two_people_of_one_address_share_its_account_by_two_identities(door: Door) -> None:
    assert await door.account() == await door.account(issuer="https://other.example")


async def test_an_issuer_does_not_speak_for_another(door: Door) -> None:
    first = await door.account()
    assert await door.account(issuer="https://other.example", email="eve@example.org") != first


async def test_a_closed_platform_lets_in_whom_it_knows(rig: Rig, make_rig: MakeRig) -> None:
    await rig.join()
    await rig.register("bob@example.org")
    shut = await make_rig(registration="closed")
    closed = Door(shut)
    assert await closed.account()
    with pytest.raises(ShipoffError, match="REGISTRATION_CLOSED"):
        await closed.account(subject="2", email="eve@example.org")
    with pytest.raises(ShipoffError, match="REGISTRATION_CLOSED"):
        await closed.account(subject="3", email="bob@example.org")
    with pytest.raises(ShipoffError, match="REGISTRATION_CLOSED"):
        await shut.register("eve@example.org")


async def test_the_second_factor_is_asked_for_here_too(door: Door, rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    with acting_as(who):
        begun = await rig.factor.BeginTwoFactor(two_factor_pb2.BeginTwoFactorRequest(password=PASSWORD), NO_CONTEXT)
        code = pyotp.TOTP(begun.secret).now()
        request = two_factor_pb2.ConfirmTwoFactorRequest(code=code, client=CLIENT)
        recovery = (await rig.factor.ConfirmTwoFactor(request, NO_CONTEXT)).codes
    answer = await door.enter()
    assert (answer.HasField("tokens"), answer.HasField("challenge")) == (False, True)
    second = sessions_pb2.LoginTwoFactorRequest(challenge=answer.challenge.token, code=recovery[0], client=CLIENT)
    tokens = await rig.login.LoginTwoFactor(second, NO_CONTEXT)
    assert tokens.account_id == who.account_id
    amr = await rig.database.fetchval("select amr from sessions where id = $1", tokens.session_id)
    assert amr == ["fed", "recovery", "mfa"]


# --- linking and unlinking --------------------------------------------------------------------------------------------


async def test_who_is_signed_in_links_what_they_prove_though_its_address_differs(door: Door, rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    await door.link(who, email="ada@work.example", verified=False)
    await door.link(who, email="ada@work.example", verified=False)  # twice is once
    [identity] = await door.identities(who)
    assert (identity.provider, identity.email) == ("acme", "ada@work.example")
    assert await door.account(email="", verified=False) == who.account_id
    assert (EMAIL, "acme was linked to your account") in await rig.mails()


async def test_an_identity_is_one_account_s(door: Door, rig: Rig) -> None:
    await door.account(email="eve@example.org")
    await rig.join()
    who, _ = await rig.session()
    with pytest.raises(ShipoffError, match="IDENTITY_TAKEN"):
        await door.link(who)


async def test_a_link_needs_a_session_that_goes_on(door: Door, rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    token = Principal(Kind.TOKEN, account_id=who.account_id, credential_id="tok_1")
    with pytest.raises(ShipoffError, match="SESSION_REQUIRED"):
        await door.link(token)
    with pytest.raises(ShipoffError, match="SESSION_REQUIRED"):
        await door.unlink(token, "idn_1")
    with acting_as(who):
        await rig.login.Logout(sessions_pb2.LogoutRequest(client=CLIENT), NO_CONTEXT)
    with pytest.raises(ShipoffError, match="SESSION_NOT_FOUND"):
        await door.link(who)


async def test_a_code_to_sign_in_links_nothing(door: Door, rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    code, verifier = await door.code(Purpose.SIGN_IN)
    with acting_as(who), pytest.raises(ShipoffError, match="CODE_INVALID"):
        await door.server.LinkIdentity(pb.LinkIdentityRequest(code=code, verifier=verifier), NO_CONTEXT)


async def test_the_last_way_in_stays(door: Door, rig: Rig) -> None:
    tokens = (await door.enter()).tokens
    who = await rig.principal(tokens.access_token)
    [only] = await door.identities(who)
    with pytest.raises(ShipoffError, match="LAST_WAY_IN"):
        await door.unlink(who, only.id)
    assert len(await door.identities(who)) == 1
    await door.link(who, issuer="https://other.example")
    results = await asyncio.gather(
        *(door.unlink(who, one.id) for one in await door.identities(who)), return_exceptions=True
    )
    assert [getattr(one, "code", None) for one in results].count("LAST_WAY_IN") == 1
    assert len(await door.identities(who)) == 1


async def test_who_has_a_password_may_unlink_and_is_told(door: Door, rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    await door.link(who)
    await rig.mails()
    [identity] = await door.identities(who)
    await door.unlink(who, identity.id)
    assert await rig.mails() == [(EMAIL, "acme was unlinked from your account")]
    assert "identity.delete" in await door.actions()
    with pytest.raises(ShipoffError, match="IDENTITY_NOT_FOUND"):
        await door.unlink(who, identity.id)


async def test_another_s_identity_is_not_found(door: Door, rig: Rig) -> None:
    eve = await rig.principal((await door.enter(email="eve@example.org")).tokens.access_token)
    [hers] = await door.identities(eve)
    await rig.join()
    who, _ = await rig.session()
    with pytest.raises(ShipoffError, match="IDENTITY_NOT_FOUND"):
        await door.unlink(who, hers.id)


# --- codes for programs -----------------------------------------------------------------------------------------------


def pair() -> tuple[str, str]:
    verifier = secrets.token_urlsafe(32)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def test_a_program_gets_a_session_of_its_own_proven_as_the_one_that_said_yes(door: Door, rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    verifier, challenge = pair()
    with acting_as(who):
        code = (await door.server.GrantCode(pb.GrantCodeRequest(challenge=challenge), NO_CONTEXT)).code
    request = pb.ExchangeCodeRequest(code=code, verifier=verifier, client=CLIENT)
    tokens = (await door.server.ExchangeCode(request, NO_CONTEXT)).tokens
    assert (tokens.account_id, tokens.session_id != who.credential_id) == (who.account_id, True)
    assert await rig.database.fetchval("select amr from sessions where id = $1", tokens.session_id) == ["pwd"]
    with pytest.raises(ShipoffError, match="CODE_INVALID"):
        await door.server.ExchangeCode(request, NO_CONTEXT)


async def test_neither_an_api_token_nor_an_ended_session_makes_sessions(door: Door, rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    request = pb.GrantCodeRequest(challenge=pair()[1])
    token = Principal(Kind.TOKEN, account_id=who.account_id, credential_id="tok_1")
    with acting_as(token), pytest.raises(ShipoffError, match="SESSION_REQUIRED"):
        await door.server.GrantCode(request, NO_CONTEXT)
    with acting_as(who):
        await rig.login.Logout(sessions_pb2.LogoutRequest(client=CLIENT), NO_CONTEXT)
        with pytest.raises(ShipoffError, match="SESSION_NOT_FOUND"):
            await door.server.GrantCode(request, NO_CONTEXT)
