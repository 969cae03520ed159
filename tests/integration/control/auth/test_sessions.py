"""Sessions: what each token is good for, how often, and how they end."""

from __future__ import annotations

import asyncio
import time

import jwt
import pytest

from control.auth.sessions.service import MOST
from control.auth.sweeper import Sweeper
from kernel.authority import Kind, Principal, acting_as
from kernel.authority.principal import NOBODY
from kernel.errors import ShipoffError
from proto.auth.v1 import accounts_pb2, sessions_pb2
from tests.integration.control.auth.rig import ADDRESS, CLIENT, EMAIL, NO_CONTEXT, Rig


async def listed(rig: Rig, who: Principal) -> list[sessions_pb2.Session]:
    with acting_as(who):
        answer = await rig.login.ListSessions(sessions_pb2.ListSessionsRequest(), NO_CONTEXT)
    return list(answer.sessions)


async def end(rig: Rig, who: Principal, session_id: str) -> None:
    with acting_as(who):
        await rig.login.EndSession(sessions_pb2.EndSessionRequest(session_id=session_id, client=CLIENT), NO_CONTEXT)


async def test_an_access_token_says_whose_and_how_and_for_how_long(rig: Rig) -> None:
    await rig.join()
    who, tokens = await rig.session()
    head = jwt.get_unverified_header(tokens.access_token)
    claims = jwt.decode(tokens.access_token, options={"verify_signature": False})
    assert (head["typ"], head["alg"]) == ("at+jwt", "EdDSA")
    assert (claims["aud"], claims["sub"], claims["sid"]) == ("shipoff-api", who.account_id, tokens.session_id)
    assert (claims["amr"], claims["exp"] - claims["iat"]) == (["pwd"], tokens.expires_in_s)
    assert tokens.expires_in_s <= 15 * 60
    assert abs(claims["auth_time"] - time.time()) < 60
    assert (who.kind, who.credential_id, who.name, who.address) == (Kind.SESSION, tokens.session_id, EMAIL, ADDRESS)


async def test_no_token_is_taken_for_another(rig: Rig) -> None:
    await rig.join()
    _, tokens = await rig.session()
    for wrong in (tokens.access_token, "shp_" + tokens.refresh_token[4:], "", "shr_", "shr_" + "é" * 43, "x" * 100_000):
        with pytest.raises(ShipoffError) as caught:
            await rig.refresh(wrong)
        assert (caught.value.code, caught.value.status) == ("REFRESH_TOKEN_INVALID", 401)
    for wrong in (tokens.refresh_token, "", tokens.access_token[:-4] + "AAAA"):
        with pytest.raises(ShipoffError) as caught:
            await rig.principal(wrong)
        assert (caught.value.code, caught.value.status) == ("SIGNED_TOKEN_INVALID", 401)


async def test_a_refresh_token_gives_the_next_pair_of_the_same_session(rig: Rig) -> None:
    await rig.join()
    who, tokens = await rig.session()
    for _ in range(3):
        fresh = await rig.refresh(tokens.refresh_token)
        assert fresh.session_id == tokens.session_id
        assert fresh.refresh_token != tokens.refresh_token
        assert (await rig.principal(fresh.access_token)).account_id == who.account_id
        tokens = fresh


async def test_a_used_refresh_token_that_comes_again_ends_the_session_and_is_told_and_recorded(rig: Rig) -> None:
    await rig.join()
    _, first = await rig.session()
    second = await rig.refresh(first.refresh_token)
    third = await rig.refresh(second.refresh_token)
    with pytest.raises(ShipoffError, match="REFRESH_TOKEN_REUSED"):
        await rig.refresh(first.refresh_token)
    for token in (third.refresh_token, second.refresh_token, first.refresh_token):
        with pytest.raises(ShipoffError, match="REFRESH_TOKEN_INVALID"):
            await rig.refresh(token)
    for pair in (first, second, third):
        with pytest.raises(ShipoffError, match="SESSION_ENDED"):
            await rig.principal(pair.access_token)
    assert await rig.mails() == [(EMAIL, "A session was ended for your safety")]
    record = await rig.database.fetchrow("select target, address from audit_events where action = 'session.reuse'")
    assert record is not None and tuple(record) == (first.session_id, ADDRESS)


async def test_an_answer_that_got_lost_may_be_asked_for_again_for_ten_seconds(rig: Rig) -> None:
    await rig.join()
    _, first = await rig.session()
    second = await rig.refresh(first.refresh_token)
    assert (await rig.refresh(first.refresh_token)).refresh_token == second.refresh_token
    await rig.hurry(11)
    with pytest.raises(ShipoffError, match="REFRESH_TOKEN_REUSED"):
        await rig.refresh(first.refresh_token)
    with pytest.raises(ShipoffError, match="REFRESH_TOKEN_INVALID"):
        await rig.refresh(second.refresh_token)


async def test_uses_of_one_refresh_token_at_once_give_one_successor(rig: Rig) -> None:
    await rig.join()
    _, tokens = await rig.session()
    pairs = await asyncio.gather(*(rig.refresh(tokens.refresh_token) for _ in range(6)))
    assert len({pair.refresh_token for pair in pairs}) == 1
    assert await rig.database.fetchval("select count(*) from refresh_tokens") == 2


async def test_a_session_ends_when_it_is_not_used_for_thirty_days(rig: Rig) -> None:
    await rig.join()
    who, tokens = await rig.session()
    await rig.hurry(30 * 86_400)
    with pytest.raises(ShipoffError, match="REFRESH_TOKEN_INVALID"):
        await rig.refresh(tokens.refresh_token)
    assert await listed(rig, who) == []
    await Sweeper(rig.database).sweep()
    assert await rig.database.fetchval("select count(*) from sessions") == 0
    assert await rig.database.fetchval("select count(*) from refresh_tokens") == 0


async def test_sessions_are_listed_with_where_they_are_and_end_one_by_one_or_together(rig: Rig) -> None:
    await rig.join()
    who, tokens = await rig.session()
    others = [(await rig.session())[1] for _ in range(3)]
    found = await listed(rig, who)
    assert {one.id for one in found} == {tokens.session_id, *(other.session_id for other in others)}
    assert [one.id for one in found if one.current] == [tokens.session_id]
    assert {(one.address, one.user_agent, tuple(one.amr)) for one in found} == {(ADDRESS, "a test", ("pwd",))}
    await end(rig, who, others[0].session_id)
    with pytest.raises(ShipoffError, match="SESSION_ENDED"):
        await rig.principal(others[0].access_token)
    with pytest.raises(ShipoffError, match="REFRESH_TOKEN_INVALID"):
        await rig.refresh(others[0].refresh_token)
    with acting_as(who):
        request = sessions_pb2.EndOtherSessionsRequest(client=CLIENT)
        assert (await rig.login.EndOtherSessions(request, NO_CONTEXT)).ended == 2
    assert [one.id for one in await listed(rig, who)] == [tokens.session_id]
    with acting_as(who):
        await rig.login.Logout(sessions_pb2.LogoutRequest(client=CLIENT), NO_CONTEXT)
    with pytest.raises(ShipoffError, match="SESSION_ENDED"):
        await rig.principal(tokens.access_token)


async def test_nobody_ends_somebody_elses_session(rig: Rig) -> None:
    await rig.join()
    await rig.join("eve@example.org")
    _, tokens = await rig.session()
    eve, _ = await rig.session("eve@example.org")
    for target in (tokens.session_id, "ses_nothing", "", "\1"):
        with pytest.raises(ShipoffError, match="SESSION_NOT_FOUND"):
            await end(rig, eve, target)
    await rig.principal(tokens.access_token)


async def test_an_account_has_so_many_sessions_at_most_and_the_longest_unused_goes(rig: Rig) -> None:
    await rig.join()
    who, tokens = await rig.session()
    account = who.account_id
    await rig.database.execute(
        """insert into sessions (id, account_id, user_agent, address, amr, last_used_at)
        select 'ses_' || n, $1, '', '', '{}', now() + make_interval(secs => n) from generate_series(1, $2) n""",
        account,
        MOST - 1,
    )
    await rig.enter()
    assert await rig.database.fetchval("select count(*) from sessions where revoked_at is null") == MOST
    with pytest.raises(ShipoffError, match="SESSION_ENDED"):
        await rig.principal(tokens.access_token)


async def test_an_api_token_or_nobody_manages_no_account(rig: Rig) -> None:
    await rig.join()
    who, _ = await rig.session()
    token = Principal(Kind.TOKEN, who.account_id, credential_id="tok_1")
    for principal, code in ((token, "SESSION_REQUIRED"), (NOBODY, "UNAUTHENTICATED")):
        with acting_as(principal):
            for call in (
                rig.login.ListSessions(sessions_pb2.ListSessionsRequest(), NO_CONTEXT),
                rig.login.Logout(sessions_pb2.LogoutRequest(), NO_CONTEXT),
                rig.accounts.ChangePassword(accounts_pb2.ChangePasswordRequest(), NO_CONTEXT),
                rig.accounts.DeleteMe(accounts_pb2.DeleteMeRequest(), NO_CONTEXT),
            ):
                with pytest.raises(ShipoffError, match=code):
                    await call
    with acting_as(token):
        me = await rig.accounts.GetMe(accounts_pb2.GetMeRequest(), NO_CONTEXT)
    assert (me.id, me.email, me.verified, me.has_password, me.two_factor) == (who.account_id, EMAIL, True, True, False)


async def test_what_a_client_calls_itself_is_kept_printable_and_short(rig: Rig) -> None:
    await rig.join()
    client = accounts_pb2.Client(address="not an address\n", user_agent="evil\r\n\0\x1b[31m" + "x" * 10_000)
    request = sessions_pb2.LoginRequest(email=EMAIL, password="correct horse battery staple", client=client)
    tokens = (await rig.login.Login(request, NO_CONTEXT)).tokens
    row = await rig.database.fetchrow("select user_agent, address from sessions where id = $1", tokens.session_id)
    assert row is not None
    assert row["user_agent"].startswith("evil[31mxxx") and len(row["user_agent"]) == 300
    assert row["address"] == ""
