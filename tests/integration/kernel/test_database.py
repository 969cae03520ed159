import asyncio

import pytest

from kernel.database import Database, migrate
from kernel.database.pool import STATEMENTS
from kernel.errors import ShipoffError

# Others lock in databases of their own.
LOCKS = """
select count(*) from pg_locks l join pg_database d on d.oid = l.database
where l.locktype = 'advisory' and d.datname = current_database()
"""


async def test_migrations_apply_once_and_roll_back_to_nothing(database_url: str) -> None:
    assert migrate(database_url, "orchestrator") >= 2
    assert migrate(database_url, "orchestrator") == 0


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    async def half_done() -> None:
        async with database.transaction() as tx:
            await tx.execute("insert into consumed_events (id) values ('evt_1')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half_done()
    assert await database.fetchval("select count(*) from consumed_events") == 0


async def test_json_columns_are_values(database: Database) -> None:
    await database.execute("insert into outbox (stream, envelope, beside) values ('s', 'x', $1)", [["SET", "a", "ü"]])
    assert await database.fetchval("select beside from outbox") == [["SET", "a", "ü"]]


async def test_a_server_that_is_away_is_a_retryable_error() -> None:
    with pytest.raises(ShipoffError) as caught:
        await Database.connect("postgresql://nobody:x@127.0.0.1:9/none", wait_s=0.0)
    assert caught.value.code == "DATABASE_UNAVAILABLE"
    assert caught.value.retryable


async def test_a_pool_survives_the_loss_of_its_connections(database: Database) -> None:
    name = await database.fetchval("select current_database()")
    with pytest.raises(ShipoffError):
        await asyncio.gather(
            *(
                database.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
                for _ in range(2)
            )
        )
    for _ in range(20):
        try:
            await database.ping()
            return
        except ShipoffError:
            await asyncio.sleep(0.05)
    pytest.fail("the pool did not recover")


async def test_only_a_session_is_reset(database_url: str) -> None:
    database = await Database.connect(database_url, max_size=1)
    try:
        async with database.connection() as connection:
            await connection.execute("set application_name = 'left behind'")
            await connection.fetchval("select pg_advisory_lock(7)")
        assert await database.fetchval("show application_name") == ""
        assert await database.fetchval(LOCKS) == 0
        async with database.transaction() as tx:
            await tx.execute("set local application_name = 'of a transaction'")
            await tx.fetchval("select pg_advisory_xact_lock(7)")
        assert await database.fetchval("show application_name") == ""
        assert await database.fetchval(LOCKS) == 0
    finally:
        await database.close()


async def test_a_statement_costs_one_question(database_url: str) -> None:
    database = await Database.connect(database_url, max_size=1)
    try:
        await database.ping()

        def sent() -> float:
            value: float = STATEMENTS._value.get()
            return value

        before = sent()
        await database.fetchval("select 1")
        await asyncio.sleep(0)  # it is counted in the loop's next turn
        assert sent() - before == 1
    finally:
        await database.close()
