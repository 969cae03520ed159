"""Signing in: what strangers learn by trying, and when trying ends."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher

from control.auth.passwords.hasher import COMPUTED
from kernel.errors import ShipoffError
from tests.integration.control.auth.conftest import MakeRig
from tests.integration.control.auth.rig import EMAIL, OTHER, PASSWORD, Rig


def computed() -> float:
    return float(COMPUTED._value.get())


async def refusal(rig: Rig, email: str, password: str, address: str = "198.51.100.1") -> tuple[str, str, int, str]:
    """All that a client sees of it."""
    with pytest.raises(ShipoffError) as caught:
        await rig.enter(email, password, address)
    error = caught.value
    return error.code, error.detail, error.status, error.hint


async def test_a_known_and_an_unknown_address_are_refused_alike_at_the_same_cost(rig: Rig) -> None:
    await rig.join()
    before = computed()
    known = await refusal(rig, EMAIL, OTHER)
    after = computed()
    unknown = await refusal(rig, "nobody@example.org", OTHER)
    assert known == unknown
    assert known[0] == "INVALID_CREDENTIALS"
    assert (after - before, computed() - after) == (1, 1)
    for password in ("", "x" * 100_000):
        assert await refusal(rig, EMAIL, password) == await refusal(rig, "nobody@example.org", password)
    assert computed() - after == 1 + 4


async def test_an_account_without_a_password_is_refused_like_an_unknown_one(rig: Rig) -> None:
    await rig.join()
    await rig.database.execute("update accounts set password_hash = null")
    before = computed()
    assert (await refusal(rig, EMAIL, PASSWORD))[0] == "INVALID_CREDENTIALS"
    assert computed() - before == 1


async def test_an_address_is_found_in_any_case_and_with_spaces_around(rig: Rig) -> None:
    await rig.join()
    assert (await rig.enter(f" {EMAIL.upper()} ")).tokens.account_id


@pytest.mark.parametrize("email", ["", "\0", "a\0@example.org", "x" * 10_000, "' or 1=1 --", "%"])
async def test_any_text_may_be_tried_as_an_address(rig: Rig, email: str) -> None:
    assert (await refusal(rig, email, PASSWORD))[0] == "INVALID_CREDENTIALS"


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
async def test_too_many_failures_lock_an_address_for_a_while_whether_it_has_an_account_or_not(
    make_rig: MakeRig, email: str
) -> None:
    rig = await make_rig(account_attempts=3, lockout_s=2)
    await rig.join()
    for _ in range(3):
        assert (await refusal(rig, email, OTHER))[0] == "INVALID_CREDENTIALS"
    before = computed()
    with pytest.raises(ShipoffError, match="TOO_MANY_ATTEMPTS") as caught:
        await rig.enter(email, PASSWORD, "198.51.100.2")
    assert (caught.value.status, computed()) == (429, before)
    assert 0 < caught.value.retry_after_s <= 2
    mails = [(EMAIL, "Somebody tries to sign in to your account")] if email == EMAIL else []
    assert await rig.mails() == mails
    with pytest.raises(ShipoffError, match="TOO_MANY_ATTEMPTS"):
        await rig.enter(email, PASSWORD, "198.51.100.2")
    assert await rig.mails() == []  # one mail is news, a second is not
    await asyncio.sleep(2.1)  # the window itself is what is tested
    if email == EMAIL:
        assert (await rig.enter(email, PASSWORD, "198.51.100.2")).tokens.account_id
    else:
        assert (await refusal(rig, email, PASSWORD))[0] == "INVALID_CREDENTIALS"


async def test_who_has_been_in_from_an_address_is_not_locked_out_by_strangers(make_rig: MakeRig) -> None:
    rig = await make_rig(account_attempts=2)
    await rig.join()
    await rig.enter(address="192.0.2.1")
    for _ in range(2):
        await refusal(rig, EMAIL, OTHER, "198.51.100.1")
    assert (await refusal(rig, EMAIL, PASSWORD, "198.51.100.1"))[0] == "TOO_MANY_ATTEMPTS"
    assert (await rig.enter(address="192.0.2.1")).tokens.account_id


async def test_the_right_password_gives_all_tries_back(make_rig: MakeRig) -> None:
    rig = await make_rig(account_attempts=3)
    await rig.join()
    for _ in range(3):
        await refusal(rig, EMAIL, OTHER)
        await refusal(rig, EMAIL, OTHER)
        await rig.enter(address="198.51.100.1")


async def test_guesses_at_once_are_counted_before_they_are_checked(make_rig: MakeRig) -> None:
    rig = await make_rig(account_attempts=3)
    await rig.join()
    before = computed()
    ends = await asyncio.gather(*(refusal(rig, EMAIL, OTHER) for _ in range(12)))
    codes = [end[0] for end in ends]
    assert (codes.count("INVALID_CREDENTIALS"), codes.count("TOO_MANY_ATTEMPTS")) == (3, 9)
    assert computed() - before == 3


async def test_one_client_tries_so_many_accounts_at_most(make_rig: MakeRig) -> None:
    rig = await make_rig(address_attempts=4)
    for number in range(4):
        assert (await refusal(rig, f"a{number}@example.org", OTHER))[0] == "INVALID_CREDENTIALS"
    assert (await refusal(rig, "b@example.org", OTHER))[0] == "TOO_MANY_ATTEMPTS"
    assert (await refusal(rig, "b@example.org", OTHER, "203.0.113.1"))[0] == "INVALID_CREDENTIALS"


async def test_an_ipv6_network_counts_as_one_client(make_rig: MakeRig) -> None:
    rig = await make_rig(address_attempts=2)
    for number in range(2):
        await refusal(rig, "a@example.org", OTHER, f"2001:db8:1:2::{number}")
    assert (await refusal(rig, "a@example.org", OTHER, "2001:db8:1:2:ffff::1"))[0] == "TOO_MANY_ATTEMPTS"


async def test_auth_processes_count_together(make_rig: MakeRig) -> None:
    rigs = [await make_rig(account_attempts=2), await make_rig(account_attempts=2)]
    await rigs[0].join()
    for rig in rigs:
        await refusal(rig, EMAIL, OTHER)
    for rig in rigs:
        assert (await refusal(rig, EMAIL, PASSWORD))[0] == "TOO_MANY_ATTEMPTS"


async def test_without_redis_a_process_counts_for_itself(make_rig: MakeRig) -> None:
    rig = await make_rig(redis="redis://127.0.0.1:1/0", account_attempts=2)
    await rig.join()
    for _ in range(2):
        assert (await refusal(rig, EMAIL, OTHER))[0] == "INVALID_CREDENTIALS"
    assert (await refusal(rig, EMAIL, PASSWORD))[0] == "TOO_MANY_ATTEMPTS"


async def test_a_hash_of_weaker_parameters_is_renewed_by_the_next_sign_in(rig: Rig) -> None:
    await rig.join()
    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    await rig.database.execute("update accounts set password_hash = $1", weak)
    await rig.enter()
    assert "m=19456,t=2,p=1" in await rig.database.fetchval("select password_hash from accounts")
    await rig.enter()


async def test_characters_that_look_alike_are_alike_in_passwords(rig: Rig) -> None:
    await rig.join(password="naïve ﬁsh on holiday")
    await rig.enter(password="nai\u0308ve fish on holiday")


async def test_the_first_owner_gets_in_by_the_mail_for_a_new_password(rig: Rig) -> None:
    from control.auth.accounts.service import claim_owner

    async with rig.database.transaction() as tx:
        owner, _ = await claim_owner(tx, "owner@localhost")
    assert (await refusal(rig, "owner@localhost", ""))[0] == "INVALID_CREDENTIALS"
    from tests.integration.control.auth.test_passwords import forgot, reset

    await forgot(rig, "owner@localhost")
    await reset(rig, await rig.token(), PASSWORD)
    who, _ = await rig.session("owner@localhost")
    assert who.account_id == owner.id
    assert who.teams == {f"tem_{owner.id[4:]}": "OWNER"}
