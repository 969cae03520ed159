import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel import events
from kernel.database import Database
from kernel.errors import define
from kernel.events import Envelope
from kernel.streams import Consumer, OutboxRelay, first_time, publish
from kernel.streams import consume as consume_module
from kernel.streams import relay as relay_module

AWAY = define("TEST_AWAY", status=503, retryable=True)


def request(number: int, key: str = "k") -> Envelope:
    return Envelope(events.DeploymentRequested(f"dep_{number}", "prj_1", "production"), key=key)


async def until(condition: Callable[[], bool | Awaitable[bool]], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


async def sent(database: Database) -> bool:
    return bool(await database.fetchval("select count(*) = 0 from outbox"))


async def settled(redis: Redis) -> bool:
    pending: Any = await redis.xpending("deployments", "group")
    return bool(pending["pending"] == 0)


async def buried(redis: Redis) -> list[bytes]:
    dead: Any = await redis.xrange("deployments.dead")
    return [fields[b"error"] for _, fields in dead]


def named(envelope: Envelope) -> str:
    assert isinstance(envelope.data, events.DeploymentRequested)
    return envelope.data.deployment_id


async def append(redis: Redis, *envelopes: Envelope) -> None:
    for envelope in envelopes:
        await redis.xadd("deployments", {"e": envelope.encode()})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume_module, "BACKOFF_S", (0.01,))


async def entries(redis: Redis, stream: str) -> list[Envelope]:
    raw: Any = await redis.xrange(stream)
    return [events.decode(fields[b"e"]) for _, fields in raw]


async def test_what_commits_is_appended_in_order_and_what_rolls_back_is_not(database: Database, redis: Redis) -> None:
    relay = OutboxRelay(database, redis)
    relay.start()
    for number in range(20):
        try:
            async with database.transaction() as tx:
                await publish(tx, request(number), beside=[["SET", "last", str(number)]])
                if number % 2:
                    raise RuntimeError
        except RuntimeError:
            continue
    await until(lambda: sent(database))
    await relay.stop()
    assert [named(e) for e in await entries(redis, "deployments")] == [f"dep_{n}" for n in range(0, 20, 2)]
    assert await redis.get("last") == b"18"


async def test_two_relays_send_each_event_once(database: Database, redis: Redis) -> None:
    relays = [OutboxRelay(database, redis) for _ in range(2)]
    for relay in relays:
        relay.start()
    for number in range(30):
        async with database.transaction() as tx:
            await publish(tx, request(number))
    await until(lambda: sent(database))
    for relay in relays:
        await relay.stop()
    assert [named(e) for e in await entries(redis, "deployments")] == [f"dep_{n}" for n in range(30)]


async def test_events_from_before_the_group_are_handled_and_acknowledged(redis: Redis) -> None:
    await append(redis, request(1), request(2))
    seen: list[str] = []

    async def handle(envelope: Envelope) -> None:
        seen.append(envelope.id)

    consumer = Consumer(redis, "deployments", "group", "one", handle)
    consumer.start()
    await until(lambda: len(seen) == 2)
    await until(lambda: settled(redis))
    await consumer.stop()


async def test_one_key_is_serial_while_others_go_on(redis: Redis) -> None:
    gate = asyncio.Event()
    done: list[str] = []
    running: dict[str, int] = defaultdict(int)

    async def handle(envelope: Envelope) -> None:
        running[envelope.key] += 1
        assert running[envelope.key] == 1
        if envelope.key == "slow":
            await gate.wait()
        done.append(named(envelope))
        running[envelope.key] -= 1

    consumer = Consumer(redis, "deployments", "group", "one", handle)
    consumer.start()
    await append(redis, request(1, "slow"), request(2, "slow"), request(3, "fast"), request(4, "fast"))
    await until(lambda: done == ["dep_3", "dep_4"])
    gate.set()
    await until(lambda: done == ["dep_3", "dep_4", "dep_1", "dep_2"])
    await consumer.stop()


async def test_what_keeps_failing_is_buried_with_its_error_and_the_rest_goes_on(redis: Redis) -> None:
    done: list[str] = []

    async def handle(envelope: Envelope) -> None:
        if named(envelope) == "dep_1":
            raise ValueError("cannot be done")
        done.append(envelope.id)

    consumer = Consumer(redis, "deployments", "group", "one", handle)
    consumer.start()
    await append(redis, request(1), request(2))
    await redis.xadd("deployments", {"e": b"garbage"})

    async def two_buried() -> bool:
        return len(await buried(redis)) == 2

    await until(two_buried)
    await until(lambda: len(done) == 1)
    await until(lambda: settled(redis))
    await consumer.stop()
    assert sorted(b"cannot be done" in error for error in await buried(redis)) == [False, True]


async def test_a_passing_fault_is_waited_out_however_long_it_takes(redis: Redis) -> None:
    tried = 0

    async def handle(_: Envelope) -> None:
        nonlocal tried
        tried += 1
        if tried <= 3 * consume_module.ATTEMPTS:
            raise AWAY("not yet")

    consumer = Consumer(redis, "deployments", "group", "one", handle)
    consumer.start()
    await append(redis, request(1))
    await until(lambda: tried == 3 * consume_module.ATTEMPTS + 1)
    await consumer.stop()
    assert await redis.xlen("deployments.dead") == 0


async def test_what_was_taken_and_not_acknowledged_comes_again_after_a_restart(redis: Redis) -> None:
    stuck, seen = asyncio.Event(), asyncio.Event()

    async def hang(_: Envelope) -> None:
        stuck.set()
        await asyncio.sleep(60)

    async def handle(_: Envelope) -> None:
        seen.set()

    first = Consumer(redis, "deployments", "group", "one", hang)
    first.start()
    await append(redis, request(1))
    await asyncio.wait_for(stuck.wait(), 5)
    await first.stop()
    second = Consumer(redis, "deployments", "group", "one", handle)
    second.start()
    await asyncio.wait_for(seen.wait(), 5)
    await second.stop()


async def test_what_another_member_left_is_claimed(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume_module, "RECLAIM_MS", 1)
    monkeypatch.setattr(consume_module, "RECLAIM_EVERY_S", 0.05)
    await append(redis, request(1))
    await redis.xgroup_create("deployments", "group", id="0")
    await redis.xreadgroup("group", "dead member", {"deployments": ">"})
    seen = asyncio.Event()

    async def handle(_: Envelope) -> None:
        seen.set()

    consumer = Consumer(redis, "deployments", "group", "one", handle)
    consumer.start()
    await asyncio.wait_for(seen.wait(), 5)
    await consumer.stop()


async def test_a_redis_that_came_back_empty_gets_its_group_again(redis: Redis) -> None:
    seen: list[str] = []

    async def handle(envelope: Envelope) -> None:
        seen.append(envelope.id)

    consumer = Consumer(redis, "deployments", "group", "one", handle)
    consumer.start()
    await append(redis, request(1))
    await until(lambda: len(seen) == 1)
    await redis.flushall()
    await append(redis, request(2))
    await until(lambda: len(seen) == 2)
    await consumer.stop()


async def test_an_event_has_its_effect_once(database: Database) -> None:
    envelope = request(1)
    async with database.transaction() as tx:
        assert await first_time(tx, envelope.id)
    async with database.transaction() as tx:
        assert not await first_time(tx, envelope.id)


async def test_a_relay_that_was_paused_appends_nothing_after_another_took_over(
    database: Database, redis: Redis
) -> None:
    paused, leading = OutboxRelay(database, redis), OutboxRelay(database, redis)
    async with database.transaction() as tx:
        await publish(tx, request(1), beside=[["SET", "last", "1"]])
    async with database.connection() as connection:
        rows = await connection.fetch("select * from outbox")
        leader = f"outbox:{await connection.fetchval('select current_database()')}:leader"
    await redis.set(leader, paused._name)
    leading.start()  # what the paused one has in its hands is sent, and then something newer
    await until(lambda: sent(database))
    async with database.transaction() as tx:
        await publish(tx, request(2), beside=[["SET", "last", "2"]])
    await until(lambda: sent(database))
    await leading.stop()
    with pytest.raises(RedisError, match="another relay leads"):
        await paused._append(rows, leader)
    assert [named(e) for e in await entries(redis, "deployments")] == ["dep_1", "dep_2"]
    assert await redis.get("last") == b"2"


async def test_a_leader_whose_session_falls_silent_is_cut_off(
    database: Database, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_SILENCE_SQL", "set idle_session_timeout = 100")
    monkeypatch.setattr(relay_module, "IDLE_S", 0.5)  # silent for longer than it may be: as good as paused
    first, second = OutboxRelay(database, redis), OutboxRelay(database, redis)
    first.start()
    second.start()
    for number in range(3):
        async with database.transaction() as tx:
            await publish(tx, request(number))
        await until(lambda: sent(database))
        await asyncio.sleep(0.2)
    await first.stop()
    await second.stop()
    assert [named(e) for e in await entries(redis, "deployments")] == ["dep_0", "dep_1", "dep_2"]
