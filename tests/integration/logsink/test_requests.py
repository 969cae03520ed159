"""Requests in a real Postgres: stored once, found newest first, the same before and after compaction, gone in time."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from kernel.database import Database
from kernel.errors import ShipoffError
from logsink.requests import store as requests_store
from logsink.requests.record import Request, RequestBatch, RequestQuery, Served
from logsink.requests.store import RequestStore
from logsink.requests.upkeep import RequestLimits, RequestUpkeep
from logsink.requests.wire import columns_of, requests_from
from proto.logsink.v1 import logsink_pb2 as pb

AT = 1_700_000_000_000_000


def request(at: int, status: int = 200, project: str = "prj_a", text: str = "") -> Request:
    served = Served(project, "production", "rel_1", "ins_1", "app")
    return Request(
        served,
        AT + at,
        f"id{at}",
        "",
        "192.0.2.1",
        "GET",
        "app.test",
        "/" + text,
        status,
        "",
        True,
        1,
        0,
        3,
        0,
        0,
        6,
        7,
    )


class Sender:
    """A router that sends batches."""

    def __init__(self, store: RequestStore) -> None:
        self.store = store
        self.sequence = 0

    async def send(self, *requests: Request) -> bool:
        self.sequence += 1
        return await self.store.append(RequestBatch("router/a", self.sequence, requests, 100 * len(requests)))


def ask(limit: int = 1000, classes: int = 1023, since: int = -AT, until: int = 10**15, project: str = "prj_a") -> Any:
    return RequestQuery(project, AT + since, AT + until, classes, limit)


async def everything(store: RequestStore, query: RequestQuery) -> list[Request]:
    """All pages of an answer."""
    found: list[Request] = []
    while True:
        page = await store.newest(query)
        found += page.requests
        if not page.next_until_us:
            return found
        assert page.next_until_us < query.until_us
        query = RequestQuery(query.project_id, query.since_us, page.next_until_us, query.classes, query.limit)


@pytest.fixture
def requests(db: Database) -> RequestStore:
    return RequestStore(db)


@pytest.fixture
def upkeep(db: Database) -> RequestUpkeep:
    return RequestUpkeep(db, RequestLimits(timedelta(days=1), 1 << 30, timedelta(0)))


async def test_a_batch_is_stored_once(requests: RequestStore) -> None:
    sender = Sender(requests)
    assert await sender.send(request(1), request(2, project="prj_b"))
    sender.sequence -= 1
    assert not await sender.send(request(1), request(2, project="prj_b"))
    assert [one.at_us - AT for one in await everything(requests, ask())] == [1]
    assert [one.at_us - AT for one in await everything(requests, ask(project="prj_b"))] == [2]


async def test_the_newest_come_first_by_time_class_and_page(requests: RequestStore, upkeep: RequestUpkeep) -> None:
    dice, sender, sent = random.Random(7), Sender(requests), []
    for _ in range(40):  # batches of several routers overlap in time, and some requests share a microsecond
        base = dice.randrange(3000)
        batch = [request(base + dice.randrange(200), dice.choice((0, 101, 200, 404, 503))) for _ in range(25)]
        sent += batch
        await sender.send(*batch)
    for compacted in (False, True):
        if compacted:
            assert await upkeep.compact() > 0
        for classes in (1023, 1 << 4 | 1 << 5, 1):
            wanted = sorted(one.at_us for one in sent if classes & 1 << one.status_class)[::-1]
            for limit in (1, 7, 1000):
                found = await everything(requests, ask(limit, classes))
                assert [one.at_us for one in found] == wanted
        inside = [one.at_us for one in await everything(requests, ask(3, since=500, until=900))]
        assert inside == sorted((one.at_us for one in sent if AT + 500 <= one.at_us < AT + 900), reverse=True)


async def test_a_search_that_reads_too_much_goes_on_in_the_next_page(
    requests: RequestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_store, "PAGE_RAW_BYTES", 1)
    monkeypatch.setattr(requests_store, "PAGE_BLOCKS", 5)
    sender = Sender(requests)
    for at in range(30):
        await sender.send(request(at * 10), request(at * 10 + 5))
    page = await requests.newest(ask())
    assert 0 < len(page.requests) < 60
    assert page.next_until_us
    assert len(await everything(requests, ask())) == 60


async def test_too_old_and_too_much_goes(requests: RequestStore, db: Database) -> None:
    sender = Sender(requests)
    for at in range(6):
        await sender.send(request(at, text=random.Random(at).randbytes(400).hex()))
    one = await db.fetchval("select max(stored_bytes) from request_blocks")
    limits = RequestLimits(timedelta(days=1), one * 3, timedelta(0))
    assert await RequestUpkeep(db, limits).expire() == 3
    assert [found.at_us - AT for found in await everything(requests, ask())] == [5, 4, 3]
    await db.execute("update request_blocks set stored_at = now() - interval '2 days' where last_at_us < $1", AT + 5)
    assert await RequestUpkeep(db, limits).expire() == 2
    assert [found.at_us - AT for found in await everything(requests, ask())] == [5]


async def test_more_batches_than_can_wait_are_refused(requests: RequestStore) -> None:
    requests._waiting = requests_store.WAITING
    with pytest.raises(ShipoffError, match="LOGS_OVERLOADED"):
        await Sender(requests).send(request(1))


async def test_over_grpc(logs: Any) -> None:
    sent = [request(1), request(2, 503)]
    append = pb.AppendRequestsRequest(producer="router/a", sequence=1, requests=columns_of(sent))
    assert (await logs.AppendRequests(append)).stored
    assert not (await logs.AppendRequests(append)).stored
    answer = await logs.ListRequests(pb.ListRequestsRequest(project_id="prj_a"))
    assert requests_from(answer.requests) == sent[::-1]
    failed = await logs.ListRequests(pb.ListRequestsRequest(project_id="prj_a", status_classes=[5]))
    assert requests_from(failed.requests) == sent[1:]
    one = await logs.ListRequests(pb.ListRequestsRequest(project_id="prj_a", id=sent[0].id, limit=1))
    assert requests_from(one.requests) == sent[:1]
    nothing = await logs.ListRequests(pb.ListRequestsRequest(project_id="prj_none"))
    assert (len(nothing.requests.at_us), nothing.next_until_us) == (0, 0)
