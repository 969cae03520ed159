"""The audit log on a real database: what comes in, what stays, and what a search finds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from control.auth.audit.record import record
from control.auth.audit.search import Query, search
from control.auth.audit.server import AuditServer
from control.auth.audit.service import AuditLog
from kernel import audit
from kernel.authority import Kind, Principal, acting_as
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.events import AuditRecorded, Envelope
from kernel.streams import Consumer, OutboxRelay
from proto.auth.v1 import audit_pb2 as pb

NO_CONTEXT: Any = None
AGED = """insert into audit_events (id, at, recorded_at, team_id, project_id, action, target, actor_kind, actor_id,
    actor_name, credential_id, address, request_id, before, after)
    select $1, now(), now() - make_interval(days => $2), 'tem_1', '', $1, '', '', '', '', '', '', '', '{}', '{}'"""
ADA = Principal(Kind.SESSION, "acc_ada", "ada@example.org", "ses_1", teams={"tem_1": "ADMIN"}, address="192.0.2.1")


@pytest.fixture
def database(auth_database: Database) -> Database:
    return auth_database


async def kept(database: Database, action: str, **more: Any) -> None:
    async with database.transaction() as tx:
        await record(tx, action, **{"team_id": "tem_1", **more})


async def actions(database: Database, **query: Any) -> list[str]:
    return [row["action"] for row in (await search(database, "tem_1", Query(**query))).events]


async def test_a_record_has_actor_address_before_and_after(database: Database) -> None:
    with acting_as(ADA):
        await kept(database, "domain.create", project_id="prj_1", target="a.example", after={"name": "a.example"})
    (row,) = (await search(database, "tem_1", Query())).events
    assert (row["actor_kind"], row["actor_id"], row["actor_name"]) == ("session", "acc_ada", "ada@example.org")
    assert (row["credential_id"], row["address"]) == ("ses_1", "192.0.2.1")
    assert (row["project_id"], row["target"], row["before"], row["after"]) == (
        "prj_1", "a.example", {}, {"name": "a.example"},
    )  # fmt: skip


async def test_a_change_that_is_rolled_back_leaves_no_record(database: Database) -> None:
    async with database.connection() as connection:
        change = connection.transaction()
        await change.start()
        await record(connection, "team.update", team_id="tem_1")
        await audit.record(connection, "team.update", team_id="tem_1")
        await change.rollback()
    assert await database.fetchval("select count(*) from audit_events") == 0
    assert await database.fetchval("select count(*) from outbox") == 0


async def test_a_record_of_another_service_arrives_once_however_often_it_is_delivered(
    database: Database, streams: Redis
) -> None:
    relay = OutboxRelay(database, streams)
    consumer = Consumer(streams, "audit", "auth", "one", AuditLog(database, 400).apply)
    try:
        with acting_as(ADA):
            async with database.transaction() as tx:
                await audit.record(tx, "env.set", team_id="tem_1", target="API_KEY", after={"name": "API_KEY"})
        relay.start()
        consumer.start()
        async with asyncio.timeout(20):
            while await actions(database) != ["env.set"]:
                await asyncio.sleep(0.02)
        entries: Any = await streams.xrange("audit")
        for _ in range(3):
            await streams.xadd("audit", entries[0][1])
        await streams.xadd("audit", {"e": Envelope(AuditRecorded("env.unset", "tem_1"), key="tem_1").encode()})
        async with asyncio.timeout(20):
            while "env.unset" not in await actions(database):
                await asyncio.sleep(0.02)
        assert await actions(database) == ["env.unset", "env.set"]
    finally:
        await consumer.stop()
        await relay.stop()


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_events set actor_id = 'acc_eve'",
        "update audit_events set recorded_at = now() - interval '1 year'",
        "delete from audit_events",
        "truncate audit_events",
    ],
)
async def test_the_table_itself_refuses_changes(database: Database, statement: str) -> None:
    await kept(database, "team.update")
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await database.execute(statement)
    assert await actions(database) == ["team.update"]


async def test_what_is_older_than_the_retention_goes_and_what_is_younger_stays(database: Database) -> None:
    for name, days in (("aud_1", 401), ("aud_2", 399), ("aud_3", 80)):
        await database.execute(AGED, name, days)
    await AuditLog(database, 400).forget()
    assert await actions(database) == ["aud_3", "aud_2"]
    with pytest.raises(asyncpg.RestrictViolationError):
        await AuditLog(database, 1).forget()


async def test_each_filter_finds_its_own(database: Database) -> None:
    with acting_as(ADA):
        await kept(database, "domain.create", project_id="prj_1", target="a.example", after={"note": "It IS Blue"})
        await kept(database, "domain.delete", project_id="prj_2", target="b.example", before={"note": "red"})
    await kept(database, "team.update", target="tem_1")
    await kept(database, "team.update", team_id="tem_2")
    assert await actions(database) == ["team.update", "domain.delete", "domain.create"]
    assert await actions(database, project_id="prj_1") == ["domain.create"]
    for actor in ("acc_ada", "ada@example.org", "ses_1"):
        assert await actions(database, actor=actor) == ["domain.delete", "domain.create"]
    assert await actions(database, action="domain.") == ["domain.delete", "domain.create"]
    assert await actions(database, target="b.example") == ["domain.delete"]
    assert await actions(database, text="is blue") == ["domain.create"]
    assert await actions(database, text="RED") == ["domain.delete"]
    assert await actions(database, text="%") == []
    now = datetime.now(UTC)
    assert await actions(database, since=now - timedelta(minutes=1), until=now + timedelta(minutes=1))
    assert not await actions(database, since=now + timedelta(minutes=1))
    assert not await actions(database, until=now - timedelta(minutes=1))


async def test_pages_join_without_gap_or_double(database: Database) -> None:
    for number in range(7):
        await kept(database, f"a.{number}")
    seen, cursor = [], ""
    while True:
        page = await search(database, "tem_1", Query(limit=3, cursor=cursor))
        seen += [row["action"] for row in page.events]
        if not (cursor := page.next_cursor):
            break
        await kept(database, "newer")
    assert seen == [f"a.{number}" for number in reversed(range(7))]


async def test_a_search_that_finds_little_goes_on_behind_what_it_looked_at(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control.auth.audit.search.LOOK_AT", 3)
    await kept(database, "wanted")
    for _ in range(7):
        await kept(database, "other")
    first = await search(database, "tem_1", Query(action="wanted"))
    assert not first.events
    second = await search(database, "tem_1", Query(action="wanted", cursor=first.next_cursor))
    third = await search(database, "tem_1", Query(action="wanted", cursor=second.next_cursor))
    assert [row["action"] for row in third.events] == ["wanted"]
    assert not third.next_cursor


@pytest.mark.parametrize(
    "fields",
    [{"cursor": "aud_x"}, {"cursor": "'; --"}, {"since": "yesterday"}, {"until": "2026-01-01T00:00:00"},
     {"text": "x" * 201}, {"action": "a\0"}],
)  # fmt: skip
async def test_a_filter_that_means_nothing_is_named(database: Database, fields: dict[str, Any]) -> None:
    with acting_as(ADA), pytest.raises(ShipoffError) as caught:
        await AuditServer(database).ListAuditEvents(pb.ListAuditEventsRequest(team_id="tem_1", **fields), NO_CONTEXT)
    assert caught.value.code == "AUDIT_QUERY_INVALID"
    assert next(iter(fields)) in caught.value.detail


DENIED = "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("role", "code"),
    [("OWNER", ""), ("ADMIN", ""), ("DEVELOPER", DENIED), ("VIEWER", DENIED), ("", "TEAM_NOT_FOUND")],
)
async def test_owners_and_admins_read_the_log(database: Database, role: str, code: str) -> None:
    who = Principal(Kind.SESSION, "acc_1", teams={"tem_1": role} if role else {"tem_2": "OWNER"})
    call = AuditServer(database).ListAuditEvents(pb.ListAuditEventsRequest(team_id="tem_1"), NO_CONTEXT)
    with acting_as(who):
        if not code:
            assert not (await call).next_cursor
            return
        with pytest.raises(ShipoffError) as caught:
            await call
    assert caught.value.code == code
