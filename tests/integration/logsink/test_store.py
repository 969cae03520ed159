"""The store keeps order and answers alike, whatever interleaves, is compacted, expires or is read meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel import tasks
from kernel.database import Database
from logsink.lines import Batch, Line, Query
from logsink.store import postgres
from logsink.store.plan import FAN
from logsink.store.postgres import PostgresStore
from logsink.store.upkeep import Limits, Upkeep
from tests.integration.logsink.conftest import Writer, read

LIMITS = Limits(timedelta(days=14), 1 << 30, timedelta(hours=24), timedelta(seconds=600))
QUIET = replace(LIMITS, settle=timedelta(0))


async def blocks(db: Database) -> int:
    count: int = await db.fetchval("select count(*) from blocks")
    return count


async def scatter(store: PostgresStore, seed: int, batches: int) -> list[Line]:
    """Batches of mixed keys, sizes and companions; returns the lines of prj_a as they should be read."""
    choose = random.Random(seed)
    sequence = 0
    while sequence < batches:
        group = []
        for _ in range(choose.randint(1, 4)):
            sequence += 1
            group.append(Batch("scatter", seed * 10_000 + sequence, _mixed(choose, sequence), 1))
        await store.append(group)
    return await read(store, Query("prj_a"))


def _mixed(choose: random.Random, sequence: int) -> list[Line]:
    lines = []
    for n in range(choose.choice([1, 1, 1, 3, 20])):
        project = choose.choice(["prj_a", "prj_a", "prj_a", "prj_b"])
        deployment, source = choose.choice(["dep_1", "dep_2", "dep_3"]), choose.choice(["build", "run"])
        lines.append(
            Line(
                10**18 + n,
                project,
                deployment,
                "ins_1",
                source,
                "stdout",
                f"{sequence}.{n} " + "x" * choose.randint(0, 50),
            )
        )
    return lines


QUERIES = [
    Query("prj_a"),
    Query("prj_a", deployment_id="dep_2"),
    Query("prj_a", source="build"),
    Query("prj_a", deployment_id="dep_1", source="run"),
    Query("prj_a", after_offset=137),
]


def expected(lines: Sequence[Line], query: Query) -> list[Line]:
    return [line for line in lines if query.wants(line) and line.offset > query.after_offset]


async def test_interleaved_lines_are_read_in_offset_order(store: PostgresStore) -> None:
    lines = await scatter(store, 1, 120)
    assert [line.offset for line in lines] == list(range(1, len(lines) + 1))
    assert [line.text.split()[0] for line in lines] == sorted(
        (line.text.split()[0] for line in lines), key=lambda name: tuple(map(int, name.split(".")))
    )


@pytest.mark.parametrize("query", QUERIES)
async def test_pages_of_any_size_give_the_same_answer(
    store: PostgresStore, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = await scatter(store, 2, 150)
    for page_bytes, page_blocks in [(1, 256), (2000, 256), (1 << 20, 1), (1 << 20, 3)]:
        monkeypatch.setattr(postgres, "PAGE_RAW_BYTES", page_bytes)
        monkeypatch.setattr(postgres, "PAGE_BLOCKS", page_blocks)
        assert await read(store, query) == expected(lines, query)


async def test_a_page_is_bounded(store: PostgresStore, writer: Writer) -> None:
    for _ in range(20):
        await writer.write(*["x" * 1000] * 1000)
    sizes = [len(page) async for page in store.pages(Query("prj_a"), 20_000)]
    assert sum(sizes) == 20_000
    assert max(sizes) <= 2000


async def test_more_overlapping_blocks_than_a_page_holds_are_still_read(store: PostgresStore) -> None:
    lines = [Line(1, "prj_a", f"dep_{n % 400}", "", "run", "stdout", str(n)) for n in range(1200)]
    await store.append([Batch("p", 1, lines, 1)])
    assert [line.text for line in await read(store, Query("prj_a"))] == [str(n) for n in range(1200)]


async def test_the_tail_is_what_a_full_read_ends_with(store: PostgresStore, db: Database) -> None:
    lines = await scatter(store, 3, 150)
    for _ in range(2):
        for query in QUERIES:
            for tail in (1, 2, 7, 64, 200, 100_000):
                start = await store.tail_start(replace(query, tail=tail), len(lines))
                assert await read(store, replace(query, after_offset=start)) == expected(lines, query)[-tail:]
        await Upkeep(db, QUIET).compact()


async def test_a_tail_counts_only_what_was_stored_when_it_was_asked_for(store: PostgresStore, writer: Writer) -> None:
    await writer.write("a", "b", "c")
    await writer.write("d")
    assert await store.tail_start(Query("prj_a", tail=2), 3) == 1


async def test_compaction_changes_no_answer(store: PostgresStore, db: Database) -> None:
    lines = await scatter(store, 4, 300)
    before = await blocks(db)
    assert await Upkeep(db, LIMITS).compact() > 0
    for query in QUERIES:
        assert await read(store, query) == expected(lines, query)
    while await Upkeep(db, QUIET).compact():
        pass
    assert await blocks(db) < before / 20
    for query in QUERIES:
        assert await read(store, query) == expected(lines, query)


async def test_lines_read_across_a_compaction_are_read_once(
    store: PostgresStore, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compaction happens between two pages of a reader."""
    monkeypatch.setattr(postgres, "PAGE_RAW_BYTES", 500)
    lines = await scatter(store, 5, 100)
    seen: list[Line] = []
    merged = 0
    async for page in store.pages(Query("prj_a"), len(lines)):
        seen += page
        merged += await Upkeep(db, QUIET).compact()
        await store.append([Batch("late", len(seen), [Line(1, "prj_a", "dep_1", "", "run", "stdout", "late")], 1)])
    assert merged > 0
    assert seen == lines


async def test_readers_writers_and_compaction_run_at_once(store: PostgresStore, db: Database) -> None:
    done = asyncio.Event()

    async def compact() -> int:
        merged = 0
        while not done.is_set():
            merged += await Upkeep(db, QUIET).compact()
            await asyncio.sleep(0)
        return merged

    async def check() -> int:
        reads = 0
        while not done.is_set():
            until = await store.last_offset("prj_a")
            offsets = [line.offset async for page in store.pages(Query("prj_a"), until) for line in page]
            assert offsets == list(range(1, until + 1))
            reads += 1
        return reads

    compacting, checking = tasks.spawn(compact(), "compacting"), tasks.spawn(check(), "checking")
    lines = await scatter(store, 6, 400)
    done.set()
    assert await compacting > 0
    assert await checking > 0
    assert await read(store, Query("prj_a")) == lines


async def test_two_compactions_do_not_meet(store: PostgresStore, db: Database) -> None:
    lines = await scatter(store, 7, 200)
    await asyncio.gather(*[Upkeep(db, QUIET).compact() for _ in range(4)])
    assert await read(store, Query("prj_a")) == lines


async def test_a_few_fresh_blocks_are_left_alone(db: Database, writer: Writer) -> None:
    for n in range(FAN - 1):
        await writer.write(str(n))
    assert await Upkeep(db, LIMITS).compact() == 0
    await writer.write("one more")
    assert await Upkeep(db, LIMITS).compact() == FAN - 1


async def test_two_processes_give_every_line_its_own_offset(db: Database, database_url: str) -> None:
    """Two stores on two pools append to the same projects; no deadlock, no offset twice, none out of order."""
    other = await Database.connect(database_url)

    async def send(store: PostgresStore, name: str) -> None:
        for n in range(40):
            group = [
                Batch(f"{name}{k}", n, [Line(1, f"prj_{p}", name, "", "run", "stdout", f"{n}") for p in "ba"], 1)
                for k in range(3)
            ]
            await store.append(group)

    stores = [PostgresStore(db), PostgresStore(other)]
    await asyncio.gather(
        *[send(store, f"{name}{n}") for n in range(2) for store, name in zip(stores, "xy", strict=True)]
    )
    for project in ("prj_a", "prj_b"):
        lines = await read(stores[0], Query(project))
        assert [line.offset for line in lines] == list(range(1, 481))
        for name in ("x0", "y1"):
            own = [int(line.text) for line in lines if line.deployment_id == name]
            assert own == sorted(own)
    await other.close()


async def test_a_batch_twice_in_one_group_is_stored_once(store: PostgresStore) -> None:
    batch = Batch("p", 1, [Line(1, "prj_a", "", "", "run", "stdout", "a")], 1)
    outcome = await store.append([batch, batch, replace(batch, sequence=2)])
    assert outcome.fresh == [True, False, True]
    assert [line.offset for line in outcome.stored[0].lines] == [1, 2]


async def test_old_blocks_expire_and_offsets_go_on(store: PostgresStore, db: Database, writer: Writer) -> None:
    await writer.write("old")
    await db.execute("update blocks set stored_at = now() - interval '15 days'")
    await writer.write("new")
    assert await Upkeep(db, LIMITS).expire() == 1
    assert [(line.text, line.offset) for line in await read(store, Query("prj_a"))] == [("new", 2)]


async def test_a_project_above_its_bytes_loses_its_oldest_lines(
    store: PostgresStore, db: Database, writer: Writer
) -> None:
    for n in range(30):
        await writer.write(random.Random(n).randbytes(2000).hex())
    await writer.write("small", project="prj_b")
    limit = 20_000
    assert await Upkeep(db, replace(LIMITS, project_bytes=limit)).expire() > 0
    kept = [line.offset for line in await read(store, Query("prj_a"))]
    assert kept == list(range(kept[0], 31))
    assert limit - 3000 < await db.fetchval("select sum(stored_bytes) from blocks where project_id = 'prj_a'") <= limit
    assert len(await read(store, Query("prj_b"))) == 1


async def test_expiry_takes_more_than_one_statement_holds(store: PostgresStore, db: Database) -> None:
    lines = [Line(1, "prj_a", f"dep_{n}", "", "run", "stdout", str(n)) for n in range(1300)]
    await store.append([Batch("p", 1, lines, 1)])
    await db.execute("update blocks set stored_at = now() - interval '15 days'")
    assert await Upkeep(db, LIMITS).expire() == 1300


async def test_old_batch_numbers_are_forgotten_and_old_blocks_sealed(db: Database, writer: Writer) -> None:
    await writer.write("a")
    await db.execute("update appends set at = now() - interval '2 days'")
    await db.execute("update blocks set stored_at = now() - interval '2 days'")
    await writer.write("b")
    assert await Upkeep(db, LIMITS).forget() == 1
    assert await db.fetchval("select array_agg(sealed order by first_offset) from blocks") == [True, False]
