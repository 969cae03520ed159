"""Registering, proving an address, and what strangers learn by trying."""

from __future__ import annotations

import asyncio

import pytest

from control.auth.accounts.registration import Registration
from control.auth.passwords.hasher import COMPUTED
from control.auth.sweeper import Sweeper
from kernel.errors import ShipoffError
from proto.auth.v1 import accounts_pb2
from tests.integration.control.auth.conftest import MakeRig
from tests.integration.control.auth.rig import CLIENT, EMAIL, NO_CONTEXT, OTHER, PASSWORD, Rig


def computed() -> float:
    return float(COMPUTED._value.get())


async def test_whoever_registers_has_an_account_and_a_team_but_no_way_in_before_the_link(rig: Rig) -> None:
    await rig.register("Ada@EXAMPLE.org")
    refused = []
    for password in (PASSWORD, OTHER):  # the same, or it would tell who registers a known address that it is known
        with pytest.raises(ShipoffError, match="INVALID_CREDENTIALS") as error:
            await rig.enter(password=password)
        refused.append(str(error.value))
    assert refused[0] == refused[1]
    assert await rig.verify(await rig.token()) == "Ada@example.org"
    tokens = (await rig.enter()).tokens
    who = await rig.principal(tokens.access_token)
    assert who.teams == {f"tem_{who.account_id[4:]}": "OWNER"}
    team = await rig.database.fetchrow("select name, personal_of from teams")
    assert team is not None and tuple(team) == ("Ada", who.account_id)


async def test_of_two_uses_of_one_link_at_once_one_counts(rig: Rig) -> None:
    await rig.register()
    token = await rig.token()
    ends = await asyncio.gather(*(rig.verify(token) for _ in range(6)), return_exceptions=True)
    assert [end for end in ends if end == EMAIL] == [EMAIL]
    assert {end.code for end in ends if isinstance(end, ShipoffError)} == {"ONE_TIME_TOKEN_INVALID"}


async def test_a_link_ends_after_a_day_and_another_one_can_be_had(rig: Rig) -> None:
    await rig.register()
    late = await rig.token()
    await rig.hurry(24 * 3600)
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await rig.verify(late)
    await rig.accounts.ResendVerification(
        accounts_pb2.ResendVerificationRequest(email=EMAIL, client=CLIENT), NO_CONTEXT
    )
    assert await rig.verify(await rig.token()) == EMAIL
    await rig.enter()


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "\0" * 43, "a" * 43, "a" * 100_000])
async def test_what_is_no_token_is_refused_alike(rig: Rig, token: str) -> None:
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID: the token is not valid, or not any more"):
        await rig.verify(token)


async def test_registering_an_address_that_has_an_account_answers_alike_and_costs_alike(rig: Rig) -> None:
    before = computed()
    await rig.register()
    once = computed() - before
    await rig.verify(await rig.token())
    before = computed()
    await rig.register(password=OTHER, name="Mallory")
    assert computed() - before == once == 1
    assert await rig.mails() == [(EMAIL, "You have a Shipoff account already")]
    await rig.enter()
    with pytest.raises(ShipoffError, match="INVALID_CREDENTIALS"):
        await rig.enter(password=OTHER)


async def test_the_password_that_counts_is_the_one_of_the_link_that_was_opened(rig: Rig) -> None:
    await rig.register()
    mine = await rig.token()
    await rig.register(password=OTHER, name="Mallory")
    await rig.verify(mine)
    tokens = (await rig.enter()).tokens
    assert tokens.account_id
    with pytest.raises(ShipoffError, match="INVALID_CREDENTIALS"):
        await rig.enter(password=OTHER)
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await rig.verify(await rig.token())


async def test_one_of_many_registrations_at_once_makes_the_account(rig: Rig) -> None:
    await asyncio.gather(*(rig.register() for _ in range(5)))
    assert await rig.database.fetchval("select count(*) from accounts") == 1
    assert await rig.database.fetchval("select count(*) from teams") == 1


async def test_nobody_gets_more_than_a_few_mails_by_others_doing(rig: Rig) -> None:
    for _ in range(7):
        await rig.register()
    assert len(await rig.mails()) == 5
    for _ in range(3):
        await rig.accounts.ForgotPassword(accounts_pb2.ForgotPasswordRequest(email=EMAIL, client=CLIENT), NO_CONTEXT)
    assert await rig.mails() == []


async def test_one_client_registers_so_often_at_most(make_rig: MakeRig) -> None:
    rig = await make_rig(address_mails=3)
    for number in range(3):
        await rig.register(f"ada{number}@example.org")
    with pytest.raises(ShipoffError, match="TOO_MANY_ATTEMPTS") as caught:
        await rig.register("late@example.org")
    assert 0 < caught.value.retry_after_s <= 3600


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": "nobody"}, "EMAIL_INVALID"),
        ({"email": "a@b@example.org"}, "EMAIL_INVALID"),
        ({"email": "ada@example.org\r\nBcc: all@example.org"}, "EMAIL_INVALID"),
        ({"email": "\0@example.org"}, "EMAIL_INVALID"),
        ({"name": ""}, "NAME_INVALID"),
        ({"name": "a" * 101}, "NAME_INVALID"),
        ({"name": "a\0b"}, "NAME_INVALID"),
        ({"password": "short"}, "PASSWORD_WEAK"),
        ({"password": "password123456"}, "PASSWORD_WEAK"),
        ({"password": "ada@example.org"}, "PASSWORD_WEAK"),
        ({"password": "x" * 100_000}, "PASSWORD_WEAK"),
    ],
)
async def test_bad_input_is_refused_and_makes_nothing(rig: Rig, change: dict[str, str], code: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        await rig.register(**{"email": EMAIL, **change})
    assert (caught.value.code, caught.value.status) == (code, 422)
    assert caught.value.hint
    assert await rig.database.fetchval("select count(*) from accounts") == 0
    assert await rig.mails() == []


async def test_no_secret_rests_in_the_database_in_clear(rig: Rig) -> None:
    await rig.register()
    waiting = str([dict(row) for row in await rig.database.fetch("select * from mails")])
    token = await rig.token()
    rows = str([dict(row) for row in await rig.database.fetch("select *, encode(hash, 'escape') from one_time_tokens")])
    account = str([dict(row) for row in await rig.database.fetch("select * from accounts")])
    for text in (waiting, rows, account):
        assert token not in text and PASSWORD not in text
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in account


async def test_an_address_that_nobody_proves_within_a_week_is_forgotten(rig: Rig) -> None:
    await rig.join("eve@example.org")
    await rig.register()
    await Sweeper(rig.database).sweep()
    assert await rig.database.fetchval("select count(*) from accounts") == 2
    await rig.database.execute("update accounts set created_at = now() - interval '8 days'")
    await Sweeper(rig.database).sweep()
    assert [row["email"] for row in await rig.database.fetch("select email from accounts")] == ["eve@example.org"]
    assert await rig.database.fetchval("select count(*) from teams") == 1


async def test_a_mail_goes_only_with_its_change(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("after the mail was written")

    original = Registration._ask

    async def ask(self: Registration, *args: object, **more: object) -> None:
        await original(self, *args, **more)  # type: ignore[arg-type]
        await broken()

    monkeypatch.setattr(Registration, "_ask", ask)
    with pytest.raises(RuntimeError):
        await rig.register()
    assert await rig.mails() == []
    assert await rig.database.fetchval("select count(*) from accounts") == 0
