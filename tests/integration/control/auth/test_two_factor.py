"""The second factor: codes once, recovery codes once, and no way round."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from control.auth.sealing import sealing
from kernel.authority import Principal, acting_as, platform
from kernel.errors import ShipoffError
from kernel.sealing import Sealer
from proto.auth.v1 import sessions_pb2
from proto.auth.v1 import two_factor_pb2 as pb
from proto.sealing.v1 import sealing_pb2
from tests.integration.control.auth.conftest import MakeRig
from tests.integration.control.auth.rig import CLIENT, EMAIL, NO_CONTEXT, OTHER, PASSWORD, Rig

STEP = 30


class Clock:
    """Seconds that pass when told to; the middle of a step, so that none ends in the course of a test."""

    def __init__(self) -> None:
        self.now = time.time() // STEP * STEP + STEP / 2

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(rig: Rig) -> Clock:
    made = Clock()
    rig.people.two_factor._clock = made
    return made


async def begin(rig: Rig, who: Principal, password: str = PASSWORD) -> pb.BeginTwoFactorResponse:
    with acting_as(who):
        return await rig.factor.BeginTwoFactor(pb.BeginTwoFactorRequest(password=password), NO_CONTEXT)


async def confirm(rig: Rig, who: Principal, code: str) -> list[str]:
    with acting_as(who):
        request = pb.ConfirmTwoFactorRequest(code=code, client=CLIENT)
        return list((await rig.factor.ConfirmTwoFactor(request, NO_CONTEXT)).codes)


async def disable(rig: Rig, who: Principal, code: str, password: str = PASSWORD) -> None:
    with acting_as(who):
        request = pb.DisableTwoFactorRequest(password=password, code=code, client=CLIENT)
        await rig.factor.DisableTwoFactor(request, NO_CONTEXT)


async def status(rig: Rig, who: Principal) -> pb.TwoFactorStatus:
    with acting_as(who):
        return await rig.factor.GetTwoFactor(pb.GetTwoFactorRequest(), NO_CONTEXT)


async def enrolled(rig: Rig, clock: Clock) -> tuple[Principal, pyotp.TOTP, list[str]]:
    """Somebody with a second factor, their authenticator, and their recovery codes."""
    await rig.join()
    who, _ = await rig.session()
    totp = pyotp.TOTP((await begin(rig, who)).secret)
    recovery = await confirm(rig, who, totp.at(clock.now))
    clock.now += STEP
    await rig.mails()
    return who, totp, recovery


async def challenge(rig: Rig, password: str = PASSWORD) -> str:
    answer = await rig.enter(password=password)
    assert not answer.HasField("tokens")
    assert answer.challenge.expires_in_s == 300
    return str(answer.challenge.token)


async def second(rig: Rig, token: str, code: str) -> Any:
    request = sessions_pb2.LoginTwoFactorRequest(challenge=token, code=code, client=CLIENT)
    return await rig.login.LoginTwoFactor(request, NO_CONTEXT)


async def test_with_a_second_factor_the_password_gets_a_challenge_and_the_code_a_session(
    rig: Rig, clock: Clock
) -> None:
    who, totp, _ = await enrolled(rig, clock)
    tokens = await second(rig, await challenge(rig), totp.at(clock.now))
    found = await rig.principal(tokens.access_token)
    assert found.account_id == who.account_id
    with acting_as(found):
        sessions = (await rig.login.ListSessions(sessions_pb2.ListSessionsRequest(), NO_CONTEXT)).sessions
    assert [list(one.amr) for one in sessions if one.current] == [["pwd", "otp", "mfa"]]


async def test_an_enrolment_counts_for_nothing_before_a_code_confirms_it(rig: Rig, clock: Clock) -> None:
    await rig.join()
    who, _ = await rig.session()
    with pytest.raises(ShipoffError, match="PASSWORD_WRONG"):
        await begin(rig, who, OTHER)
    with pytest.raises(ShipoffError, match="TWO_FACTOR_OFF"):
        await confirm(rig, who, "123456")
    first = await begin(rig, who)
    made = await begin(rig, who)
    assert (await rig.enter()).HasField("tokens")
    query = parse_qs(urlsplit(made.uri).query)
    assert made.uri.startswith("otpauth://totp/Shipoff:ada%40example.org?")
    assert (query["secret"], query["issuer"]) == ([made.secret], ["Shipoff"])
    for wrong in ("", "12345", "abcdef", pyotp.TOTP(first.secret).at(clock.now), "١٢٣٤٥٦"):
        with pytest.raises(ShipoffError, match="TWO_FACTOR_CODE_INVALID"):
            await confirm(rig, who, wrong)
    assert not (await status(rig, who)).enabled
    recovery = await confirm(rig, who, pyotp.TOTP(made.secret).at(clock.now))
    assert len(set(recovery)) == 10
    assert ((found := await status(rig, who)).enabled, found.recovery_codes) == (True, 10)
    assert await rig.mails() == [(EMAIL, "Two-factor authentication is on")]
    with pytest.raises(ShipoffError, match="TWO_FACTOR_ON"):
        await begin(rig, who)


async def test_a_code_is_good_once_even_at_once(rig: Rig, clock: Clock) -> None:
    _, totp, _ = await enrolled(rig, clock)
    code = totp.at(clock.now)
    tokens = [await challenge(rig) for _ in range(4)]
    ends = await asyncio.gather(*(second(rig, token, code) for token in tokens), return_exceptions=True)
    assert len([end for end in ends if not isinstance(end, BaseException)]) == 1
    assert {end.code for end in ends if isinstance(end, ShipoffError)} == {"TWO_FACTOR_CODE_INVALID"}
    with pytest.raises(ShipoffError, match="TWO_FACTOR_CODE_INVALID"):
        await second(rig, await challenge(rig), totp.at(clock.now - STEP))  # an earlier one than the last that was used


async def test_a_clock_may_be_off_by_one_step_and_no_more(rig: Rig, clock: Clock) -> None:
    _, totp, _ = await enrolled(rig, clock)
    clock.now += 5 * STEP
    for off in (-2, 2):
        with pytest.raises(ShipoffError, match="TWO_FACTOR_CODE_INVALID"):
            await second(rig, await challenge(rig), totp.at(clock.now + off * STEP))
    for off in (-1, 1):
        assert (await second(rig, await challenge(rig), totp.at(clock.now + off * STEP))).account_id


async def test_a_recovery_code_is_good_once_and_told_by_mail(rig: Rig, clock: Clock) -> None:
    who, _, recovery = await enrolled(rig, clock)
    assert (await second(rig, await challenge(rig), f" {recovery[0].upper().replace('-', ' ')} ")).account_id
    assert await rig.mails() == [(EMAIL, "A recovery code was used")]
    assert "9 are left" in str(rig.last[-1])
    with pytest.raises(ShipoffError, match="TWO_FACTOR_CODE_INVALID"):
        await second(rig, await challenge(rig), recovery[0])
    tokens = [await challenge(rig) for _ in range(4)]
    ends = await asyncio.gather(*(second(rig, token, recovery[1]) for token in tokens), return_exceptions=True)
    assert len([end for end in ends if not isinstance(end, BaseException)]) == 1
    assert (await status(rig, who)).recovery_codes == 8


async def test_a_challenge_takes_five_tries_five_minutes_and_one_success(rig: Rig, clock: Clock) -> None:
    _, totp, recovery = await enrolled(rig, clock)
    tried = await challenge(rig)
    for _ in range(5):
        with pytest.raises(ShipoffError, match="TWO_FACTOR_CODE_INVALID"):
            await second(rig, tried, "000000" if totp.at(clock.now) != "000000" else "000001")
    with pytest.raises(ShipoffError, match="CHALLENGE_INVALID"):
        await second(rig, tried, totp.at(clock.now))
    used = await challenge(rig)
    await second(rig, used, totp.at(clock.now))
    late = await challenge(rig)
    await rig.hurry(300)
    for token in (used, late, "", "x" * 43, "é"):
        with pytest.raises(ShipoffError, match="CHALLENGE_INVALID") as caught:
            await second(rig, token, recovery[0])
        assert caught.value.status == 401


async def test_who_has_the_password_gets_no_more_codes_by_more_challenges(make_rig: MakeRig) -> None:
    rig = await make_rig(account_attempts=6)
    clock = rig.people.two_factor._clock = Clock()
    _, totp, _ = await enrolled(rig, clock)
    wrong = "000000" if totp.at(clock.now) != "000000" else "000001"
    for _ in range(6):
        with pytest.raises(ShipoffError, match="TWO_FACTOR_CODE_INVALID"):
            await second(rig, await challenge(rig), wrong)
    with pytest.raises(ShipoffError, match="TOO_MANY_ATTEMPTS"):
        await second(rig, await challenge(rig), totp.at(clock.now))
    assert await rig.mails() == [(EMAIL, "Somebody tries to sign in to your account")]


async def test_turning_it_off_needs_the_password_and_a_code(rig: Rig, clock: Clock) -> None:
    who, totp, recovery = await enrolled(rig, clock)
    with pytest.raises(ShipoffError, match="PASSWORD_WRONG"):
        await disable(rig, who, totp.at(clock.now), OTHER)
    with pytest.raises(ShipoffError, match="TWO_FACTOR_CODE_INVALID"):
        await disable(rig, who, "not a code")
    await disable(rig, who, recovery[3])
    assert (EMAIL, "Two-factor authentication is off") in await rig.mails()
    assert (await rig.enter()).HasField("tokens")
    with pytest.raises(ShipoffError, match="TWO_FACTOR"):
        await disable(rig, who, totp.at(clock.now))


async def test_new_recovery_codes_take_the_place_of_the_old(rig: Rig, clock: Clock) -> None:
    who, totp, old = await enrolled(rig, clock)
    with acting_as(who):
        request = pb.RenewRecoveryCodesRequest(password=PASSWORD, code=totp.at(clock.now), client=CLIENT)
        new = list((await rig.factor.RenewRecoveryCodes(request, NO_CONTEXT)).codes)
    assert not set(old) & set(new)
    with pytest.raises(ShipoffError, match="TWO_FACTOR_CODE_INVALID"):
        await second(rig, await challenge(rig), old[0])
    await second(rig, await challenge(rig), new[0])


async def test_a_reset_of_the_password_leaves_the_second_factor_and_voids_challenges(rig: Rig, clock: Clock) -> None:
    from tests.integration.control.auth.test_passwords import forgot, reset

    _, totp, _ = await enrolled(rig, clock)
    before = await challenge(rig)
    await forgot(rig)
    await reset(rig, await rig.token())
    with pytest.raises(ShipoffError, match="CHALLENGE_INVALID"):
        await second(rig, before, totp.at(clock.now))
    assert (await second(rig, await challenge(rig, OTHER), totp.at(clock.now))).account_id


async def test_secrets_rest_sealed_and_codes_hashed(rig: Rig, clock: Clock) -> None:
    _, totp, recovery = await enrolled(rig, clock)
    rows = str(
        [dict(row) for row in await rig.database.fetch("select * from two_factor")]
        + [dict(row) for row in await rig.database.fetch("select * from recovery_codes")]
    )
    assert totp.secret not in rows
    assert not any(code in rows or code.replace("-", "") in rows for code in recovery)


async def test_a_change_of_the_sealing_key_takes_second_factors_and_waiting_mails_along(
    make_rig: MakeRig, rig: Rig, clock: Clock
) -> None:
    who, totp, _ = await enrolled(rig, clock)
    await rig.register("eve@example.org")
    fresh = base64.b64encode(secrets.token_bytes(32)).decode()
    ring = Sealer(f"new:{fresh},old:{rig.settings.seal_key}")
    with acting_as(platform("test")):
        told = [one async for one in sealing(rig.database, ring).Reseal(sealing_pb2.ResealRequest(), NO_CONTEXT)]
    assert {one.table: one.resealed for one in told} == {
        "signing_keys.private_sealed": 1, "two_factor.secret_sealed": 1, "mails.sealed": 1,
    }  # fmt: skip
    later = await make_rig(seal_key=fresh)
    later.people.two_factor._clock = clock
    assert (await second(later, await challenge(later), totp.at(clock.now))).account_id == who.account_id
    assert await later.mails() == [("eve@example.org", "Confirm your e-mail address")]
