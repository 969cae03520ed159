"""Leases: one worker at a time, by the database's clock, and no effect of what a worker does after it lost its own."""

import asyncio

import pytest

from kernel import tasks
from kernel.database import Database
from kernel.errors import ShipoffError
from orchestrator.leases import Lease, Leases

KEY = ("prj_1", "production")


@pytest.fixture
def one(database: Database) -> Leases:
    return Leases(database, "one", 30.0)


@pytest.fixture
def two(database: Database) -> Leases:
    return Leases(database, "two", 30.0)


async def taken(leases: Leases) -> Lease:
    lease = await leases.acquire(*KEY)
    assert lease is not None
    return lease


async def shift(database: Database, seconds: float) -> None:
    """What the leases look like when the database's clock has jumped by so much."""
    await database.execute(
        "update leases set expires_at = expires_at - $1 * interval '1 s',"
        " renewed_at = renewed_at - $1 * interval '1 s'",
        seconds,
    )


async def writes(lease: Lease) -> None:
    async with lease.transaction() as tx:
        await tx.execute(
            "insert into deployments (id, project_id, environment) values ('dep_1', 'prj_1', 'production')"
        )


async def written(database: Database) -> int:
    return int(await database.fetchval("select count(*) from deployments"))


async def test_one_holder_at_a_time_and_the_next_when_it_is_given_back(one: Leases, two: Leases) -> None:
    first = await taken(one)
    assert await two.acquire(*KEY) is None
    assert await two.acquire("prj_1", "preview/other") is not None
    await one.release(first)
    assert (await taken(two)).token > first.token


async def test_of_many_that_ask_at_once_one_gets_it(database: Database) -> None:
    workers = [Leases(database, f"worker-{number}", 30.0) for number in range(20)]
    given = [lease for lease in await asyncio.gather(*(worker.acquire(*KEY) for worker in workers)) if lease]
    assert len(given) == 1


async def test_what_ran_out_goes_to_who_asks_and_the_late_worker_has_no_effect(
    one: Leases, two: Leases, database: Database
) -> None:
    late = await taken(one)
    await shift(database, 31.0)
    newer = await taken(two)
    assert not await one.renew(late)
    with pytest.raises(ShipoffError, match="LEASE_LOST"):
        await writes(late)
    assert await written(database) == 0
    await one.release(late)  # takes nothing away from the other
    await writes(newer)
    assert await written(database) == 1


async def test_what_ran_out_and_nobody_took_is_renewed(one: Leases, two: Leases, database: Database) -> None:
    lease = await taken(one)
    await shift(database, 31.0)
    assert await one.renew(lease)
    assert await two.acquire(*KEY) is None
    await writes(lease)
    assert await written(database) == 1


async def test_a_worker_that_comes_back_under_its_name_has_its_lease_at_once(one: Leases, database: Database) -> None:
    before = await taken(one)
    after = await taken(Leases(database, "one", 30.0))
    with pytest.raises(ShipoffError, match="LEASE_LOST"):
        await writes(before)
    await writes(after)


async def test_a_clock_that_was_set_back_frees_what_would_have_lasted_until_then(
    one: Leases, two: Leases, database: Database
) -> None:
    lease = await taken(one)
    await shift(database, -3600.0)
    newer = await taken(two)
    with pytest.raises(ShipoffError, match="LEASE_LOST"):
        await writes(lease)
    await writes(newer)


async def test_nobody_takes_a_lease_between_a_write_and_its_commit(
    one: Leases, two: Leases, database: Database
) -> None:
    lease = await taken(one)
    async with lease.transaction() as tx:
        await shift_through(tx)
        taking = tasks.spawn(two.acquire(*KEY), "takes")
        await asyncio.sleep(0.1)
        assert not taking.done()
        await tx.execute(
            "insert into deployments (id, project_id, environment) values ('dep_1', 'prj_1', 'production')"
        )
    await taking
    assert await written(database) == 1


async def shift_through(tx: object) -> None:
    """Lets the lease run out inside the transaction that it fences."""
    await tx.execute("update leases set expires_at = clock_timestamp() - interval '1 s'")  # type: ignore[attr-defined]
