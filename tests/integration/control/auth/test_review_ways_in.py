"""Ways around what ends sessions, and around counted tries."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from control.auth.limits import Limits
from control.auth.oauth.parts import OAuth
from control.auth.oauth.settings import OAuthSettings
from control.auth.tokens.rules import Wanted
from control.auth.tokens.service import Tokens
from kernel.authority import Principal, acting_as
from kernel.errors import ShipoffError
from proto.auth.v1 import accounts_pb2, oauth_pb2, sessions_pb2, two_factor_pb2
from tests.integration.control.auth.rig import CLIENT, NO_CONTEXT, OTHER, PASSWORD, Rig

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Thief:
    """Has the access token of somebody's session, and prepares for the moment when it ends."""

    def __init__(self, rig: Rig, who: Principal) -> None:
        self._server, self._who = OAuth(OAuthSettings(), rig.database, rig.people).server, who

    async def prepare(self) -> None:
        with acting_as(self._who):
            granted = await self._server.GrantCode(oauth_pb2.GrantCodeRequest(challenge=CHALLENGE), NO_CONTEXT)
            self._code = granted.code
            self._device = await self._server.StartDevice(oauth_pb2.StartDeviceRequest(client=CLIENT), NO_CONTEXT)
            said = oauth_pb2.AnswerDeviceRequest(user_code=self._device.user_code, approve=True)
            await self._server.AnswerDevice(said, NO_CONTEXT)

    async def come_back(self) -> None:
        """By either way; neither may lead in."""
        code = oauth_pb2.ExchangeCodeRequest(code=self._code, verifier=VERIFIER, client=CLIENT)
        with pytest.raises(ShipoffError, match="CODE_INVALID"):
            await self._server.ExchangeCode(code, NO_CONTEXT)
        device = oauth_pb2.ExchangeDeviceRequest(device_code=self._device.device_code, client=CLIENT)
        with pytest.raises(ShipoffError, match="DEVICE_CODE_INVALID"):
            await self._server.ExchangeDevice(device, NO_CONTEXT)


async def change(rig: Rig, own: Principal) -> None:
    with acting_as(own):
        wanted = accounts_pb2.ChangePasswordRequest(old_password=PASSWORD, new_password=OTHER, client=CLIENT)
        await rig.accounts.ChangePassword(wanted, NO_CONTEXT)


async def reset(rig: Rig, own: Principal) -> None:
    await rig.accounts.ForgotPassword(accounts_pb2.ForgotPasswordRequest(email=own.name, client=CLIENT), NO_CONTEXT)
    wanted = accounts_pb2.ResetPasswordRequest(token=await rig.token(), password=OTHER, client=CLIENT)
    await rig.accounts.ResetPassword(wanted, NO_CONTEXT)


async def end_others(rig: Rig, own: Principal) -> None:
    with acting_as(own):
        await rig.login.EndOtherSessions(sessions_pb2.EndOtherSessionsRequest(client=CLIENT), NO_CONTEXT)


@pytest.mark.parametrize("end", [change, reset, end_others])
async def test_what_a_session_has_granted_ends_where_all_sessions_are_ended(rig: Rig, end: Any) -> None:
    await rig.join()
    (stolen, _), (own, _) = await rig.session(), await rig.session()
    thief = Thief(rig, stolen)
    await thief.prepare()
    await end(rig, own)
    await thief.come_back()


async def test_codes_that_turn_the_second_factor_on_are_counted_too(rig: Rig) -> None:
    await rig.join()
    own, _ = await rig.session()
    with acting_as(own):
        await rig.factor.BeginTwoFactor(two_factor_pb2.BeginTwoFactorRequest(password=PASSWORD), NO_CONTEXT)
        said = []
        for number in range(15):  # whoever has the session, and not the secret, must not find its recovery codes
            guess = two_factor_pb2.ConfirmTwoFactorRequest(code=f"{number:06}", client=CLIENT)
            with pytest.raises(ShipoffError) as caught:
                await rig.factor.ConfirmTwoFactor(guess, NO_CONTEXT)
            said.append(caught.value.code)
    assert said == ["TWO_FACTOR_CODE_INVALID"] * 10 + ["TOO_MANY_ATTEMPTS"] * 5


async def test_a_copied_session_cannot_be_turned_into_something_that_stays(rig: Rig) -> None:
    await rig.join()
    copied, _ = await rig.session()
    await rig.database.execute("update sessions set proven_at = proven_at - interval '61 minutes'")
    server = OAuth(OAuthSettings(), rig.database, rig.people).server
    nothing: Any = None  # is owned by these tokens, so nobody is asked
    tokens = Tokens(rig.database, nothing, Limits())
    with acting_as(copied):
        code = (await server.GrantCode(oauth_pb2.GrantCodeRequest(challenge=CHALLENGE), NO_CONTEXT)).code
    wanted = oauth_pb2.ExchangeCodeRequest(code=code, verifier=VERIFIER, client=CLIENT)
    granted = (await server.ExchangeCode(wanted, NO_CONTEXT)).tokens
    for who in (copied, await rig.principal(granted.access_token)):  # a new session is as old as what granted it
        with acting_as(who):
            link = oauth_pb2.LinkIdentityRequest(code=code, verifier=VERIFIER, client=CLIENT)
            for refused in (server.LinkIdentity(link, NO_CONTEXT), tokens.create(who.account_id, Wanted("for ever"))):
                with pytest.raises(ShipoffError, match="PROOF_TOO_OLD"):
                    await refused
    fresh, _ = await rig.session()
    with acting_as(fresh):
        assert (await tokens.create(fresh.account_id, Wanted("for years"))).secret.startswith("shp_")
