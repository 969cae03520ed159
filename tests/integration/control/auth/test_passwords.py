"""Forgotten, reset and changed passwords."""

from __future__ import annotations

import asyncio

import pytest

from control.auth.passwords.hasher import COMPUTED
from kernel.authority import Principal, acting_as
from kernel.errors import ShipoffError
from proto.auth.v1 import accounts_pb2 as pb
from tests.integration.control.auth.conftest import MakeRig
from tests.integration.control.auth.rig import CLIENT, EMAIL, NO_CONTEXT, OTHER, PASSWORD, Rig


async def forgot(rig: Rig, email: str = EMAIL) -> pb.ForgotPasswordResponse:
    return await rig.accounts.ForgotPassword(pb.ForgotPasswordRequest(email=email, client=CLIENT), NO_CONTEXT)


async def reset(rig: Rig, token: str, password: str = OTHER) -> None:
    request = pb.ResetPasswordRequest(token=token, password=password, client=CLIENT)
    await rig.accounts.ResetPassword(request, NO_CONTEXT)


async def change(rig: Rig, who: Principal, old: str, new: str) -> None:
    with acting_as(who):
        request = pb.ChangePasswordRequest(old_password=old, new_password=new, client=CLIENT)
        await rig.accounts.ChangePassword(request, NO_CONTEXT)


async def test_a_reset_ends_all_sessions_and_is_told_by_mail(rig: Rig) -> None:
    await rig.join()
    who, tokens = await rig.session()
    await forgot(rig)
    await reset(rig, await rig.token())
    with pytest.raises(ShipoffError, match="SESSION_ENDED"):
        await rig.principal(tokens.access_token)
    with pytest.raises(ShipoffError, match="REFRESH_TOKEN_INVALID"):
        await rig.refresh(tokens.refresh_token)
    assert await rig.mails() == [(EMAIL, "Your password was changed")]
    with pytest.raises(ShipoffError, match="INVALID_CREDENTIALS"):
        await rig.enter()
    assert (await rig.session(password=OTHER))[0].account_id == who.account_id


async def test_forgetting_answers_alike_and_does_the_work_afterwards(rig: Rig) -> None:
    await rig.join()
    before = COMPUTED._value.get()
    assert await forgot(rig) == await forgot(rig, "nobody@example.org") == await forgot(rig, "\0 nonsense")
    assert COMPUTED._value.get() == before
    assert await rig.mails() == [(EMAIL, "Set a new password")]


async def test_a_reset_link_works_once_within_an_hour(rig: Rig) -> None:
    await rig.join()
    await forgot(rig)
    late = await rig.token()
    await rig.hurry(3600)
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await reset(rig, late)
    await forgot(rig)
    token = await rig.token()
    ends = await asyncio.gather(*(reset(rig, token) for _ in range(4)), return_exceptions=True)
    assert [end for end in ends if end is None] == [None]
    assert {end.code for end in ends if isinstance(end, ShipoffError)} == {"ONE_TIME_TOKEN_INVALID"}


async def test_a_weak_password_does_not_use_the_link_up(rig: Rig) -> None:
    await rig.join()
    await forgot(rig)
    token = await rig.token()
    with pytest.raises(ShipoffError, match="PASSWORD_WEAK"):
        await reset(rig, token, "0123456789")
    await reset(rig, token)


async def test_a_link_that_is_no_good_costs_no_hash(rig: Rig) -> None:
    before = COMPUTED._value.get()
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await reset(rig, "a" * 43)
    assert COMPUTED._value.get() == before


async def test_links_are_good_for_one_thing_only(rig: Rig) -> None:
    await rig.register()
    to_verify = await rig.token()
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await reset(rig, to_verify)
    await forgot(rig)
    to_reset = await rig.token()
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await rig.verify(to_reset)
    await reset(rig, to_reset)  # it proves the address, too
    await rig.enter(password=OTHER)


async def test_a_reset_voids_other_links_and_ends_a_lockout(make_rig: MakeRig) -> None:
    rig = await make_rig(account_attempts=2)
    await rig.join()
    await forgot(rig)
    earlier = await rig.token()
    for _ in range(3):
        with pytest.raises(ShipoffError):
            await rig.enter(password=OTHER)
    await rig.mails()
    await forgot(rig)
    await reset(rig, await rig.token())
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await reset(rig, earlier)
    await rig.enter(password=OTHER)


async def test_a_change_needs_the_present_password_and_ends_other_sessions(rig: Rig) -> None:
    await rig.join()
    who, tokens = await rig.session()
    _, elsewhere = await rig.session()
    with pytest.raises(ShipoffError, match="PASSWORD_WRONG"):
        await change(rig, who, OTHER, "yet another long one, please")
    with pytest.raises(ShipoffError, match="PASSWORD_WEAK"):
        await change(rig, who, PASSWORD, "ada@example.org")
    await change(rig, who, PASSWORD, OTHER)
    assert await rig.mails() == [(EMAIL, "Your password was changed")]
    assert (await rig.principal(tokens.access_token)).credential_id == who.credential_id
    with pytest.raises(ShipoffError, match="SESSION_ENDED"):
        await rig.principal(elsewhere.access_token)
    await rig.enter(password=OTHER)


async def test_a_stolen_session_does_not_help_to_guess_the_password(make_rig: MakeRig) -> None:
    rig = await make_rig(account_attempts=3)
    await rig.join()
    who, _ = await rig.session()
    for _ in range(3):
        with pytest.raises(ShipoffError, match="PASSWORD_WRONG"):
            await change(rig, who, "wrong", OTHER)
    with pytest.raises(ShipoffError, match="TOO_MANY_ATTEMPTS"):
        await change(rig, who, PASSWORD, OTHER)


async def test_a_sign_in_that_a_reset_overtakes_does_not_get_in(rig: Rig) -> None:
    await rig.join()
    account = await rig.database.fetchrow("select id, password_hash from accounts")
    assert account is not None
    await forgot(rig)
    await reset(rig, await rig.token())
    from control.auth.caller import Client

    with pytest.raises(ShipoffError, match="INVALID_CREDENTIALS"):
        await rig.people.login.finish(account["id"], ("pwd",), Client("", ""), account["password_hash"])
