"""What people change of their own accounts."""

from __future__ import annotations

import pytest

from kernel.authority import Principal, acting_as
from kernel.errors import ShipoffError
from proto.auth.v1 import accounts_pb2 as pb
from tests.integration.control.auth.conftest import MakeRig
from tests.integration.control.auth.rig import CLIENT, EMAIL, NO_CONTEXT, OTHER, PASSWORD, Rig
from tests.integration.control.auth.test_passwords import change, forgot, reset

NEW = "countess@example.org"


async def rename(rig: Rig, who: Principal, name: str) -> pb.Me:
    with acting_as(who):
        return await rig.accounts.UpdateMe(pb.UpdateMeRequest(name=name, client=CLIENT), NO_CONTEXT)


async def change_email(rig: Rig, who: Principal, email: str, password: str = PASSWORD) -> pb.ChangeEmailResponse:
    with acting_as(who):
        request = pb.ChangeEmailRequest(password=password, email=email, client=CLIENT)
        return await rig.accounts.ChangeEmail(request, NO_CONTEXT)


async def delete(rig: Rig, who: Principal, password: str = PASSWORD) -> None:
    with acting_as(who):
        await rig.accounts.DeleteMe(pb.DeleteMeRequest(password=password, client=CLIENT), NO_CONTEXT)


async def test_a_name_changes_and_is_recorded_with_what_it_was(rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    assert (await rename(rig, who, "  Ada   King ")).name == "Ada King"
    with pytest.raises(ShipoffError, match="NAME_INVALID"):
        await rename(rig, who, "a\x1bb")
    row = await rig.database.fetchrow(
        "select actor_id, before, after from audit_events where action = 'account.update'"
    )
    assert row is not None
    assert tuple(row) == (who.account_id, {"name": "Ada"}, {"name": "Ada King"})


async def test_an_address_changes_when_the_new_one_is_proven_and_the_old_one_hears_of_it(rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    with pytest.raises(ShipoffError, match="PASSWORD_WRONG"):
        await change_email(rig, who, NEW, OTHER)
    await change_email(rig, who, NEW)
    token = await rig.token()
    assert [str(one["To"]) for one in rig.last] == [EMAIL, NEW]
    await rig.enter()  # the old one still counts
    assert await rig.verify(token) == NEW
    assert await rig.mails() == [(EMAIL, "Your e-mail address was changed")]
    assert (await rig.session(NEW))[0].account_id == who.account_id
    with pytest.raises(ShipoffError, match="INVALID_CREDENTIALS"):
        await rig.enter()
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await rig.verify(token)


async def test_asking_for_somebodys_address_answers_alike_and_changes_nothing(rig: Rig) -> None:
    await rig.join()
    await rig.join(NEW)
    who, _ = await rig.session()
    assert await change_email(rig, who, NEW) == await change_email(rig, who, "free@example.org")
    mails = await rig.mails()
    assert (NEW, "Somebody wanted to use your e-mail address") in mails
    assert (EMAIL, "Your e-mail address is being changed") in mails


async def test_an_address_that_somebody_else_proves_first_is_theirs(rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    await change_email(rig, who, NEW)
    token = await rig.token()
    await rig.join(NEW)
    with pytest.raises(ShipoffError, match="EMAIL_TAKEN"):
        await rig.verify(token)
    assert (await rig.session(EMAIL))[0].account_id == who.account_id


async def test_a_changed_password_stops_a_change_of_address(rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    await change_email(rig, who, NEW)
    token = await rig.token()
    await change(rig, who, PASSWORD, OTHER)
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await rig.verify(token)


async def test_links_that_went_to_the_old_address_do_not_open_the_account_afterwards(rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    await forgot(rig)
    to_the_old = await rig.token()
    await change_email(rig, who, NEW)
    await rig.verify(await rig.token())
    with pytest.raises(ShipoffError, match="ONE_TIME_TOKEN_INVALID"):
        await reset(rig, to_the_old)


async def test_a_deleted_account_is_gone_with_its_team_and_its_record_stays(rig: Rig) -> None:
    await rig.join()
    who, tokens = await rig.session()
    with pytest.raises(ShipoffError, match="PASSWORD_WRONG"):
        await delete(rig, who, OTHER)
    await delete(rig, who)
    assert await rig.mails() == [(EMAIL, "Your account was deleted")]
    for table in ("accounts", "teams", "team_members", "sessions", "refresh_tokens"):
        assert await rig.database.fetchval(f"select count(*) from {table}") == 0
    assert await rig.database.fetchval("select count(*) from audit_events where action = 'account.delete'") == 1
    with pytest.raises(ShipoffError, match="SESSION_ENDED"):
        await rig.principal(tokens.access_token)
    await rig.join()  # the address is free again


async def test_an_account_on_which_others_depend_is_not_deleted(rig: Rig) -> None:
    await rig.join()
    await rig.join("eve@example.org")
    who, _ = await rig.session()
    eve, _ = await rig.session("eve@example.org")
    await rig.database.execute("insert into teams (id, name, slug) values ('tem_1', 'Engines', 'engines')")
    await rig.database.execute(
        "insert into team_members (team_id, account_id, role) values ('tem_1', $1, 'OWNER')", who.account_id
    )
    with pytest.raises(ShipoffError, match=r"ACCOUNT_OWNS_TEAMS.*engines"):
        await delete(rig, who)
    await rig.database.execute("update team_members set role = 'VIEWER' where team_id = 'tem_1'")
    await rig.database.execute(
        "insert into team_members (team_id, account_id, role) values ('tem_' || substr($1, 5), $2, 'VIEWER')",
        who.account_id,
        eve.account_id,
    )
    with pytest.raises(ShipoffError, match="ACCOUNT_OWNS_TEAMS"):
        await delete(rig, who)
    await rig.database.execute("delete from team_members where account_id = $1", eve.account_id)
    await delete(rig, who)


async def test_an_account_with_projects_and_the_platforms_owner_are_not_deleted(make_rig: MakeRig) -> None:
    rig = await make_rig(projects=("shop", "blog"))
    await rig.join()
    who, _ = await rig.session()
    with pytest.raises(ShipoffError, match=r"ACCOUNT_OWNS_PROJECTS.*shop, blog"):
        await delete(rig, who)
    plain = await make_rig()
    await rig.database.execute("update accounts set is_owner = true")
    with pytest.raises(ShipoffError, match="ACCOUNT_OWNS_PLATFORM"):
        await delete(plain, who)


async def test_without_a_password_what_needs_one_says_how_to_get_one(rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    await rig.database.execute("update accounts set password_hash = null")
    with pytest.raises(ShipoffError, match="PASSWORD_NOT_SET") as caught:
        await delete(rig, who)
    assert "forgot" in caught.value.hint
