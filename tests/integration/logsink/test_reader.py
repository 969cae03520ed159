"""Following: what a slow view loses is counted, and what others stored is found."""

from __future__ import annotations

from contextlib import aclosing

from logsink.lines import Batch, Line, Query
from logsink.query.reader import Reader
from logsink.store.postgres import PostgresStore
from logsink.tail.hub import Hub
from tests.integration.logsink.conftest import Writer


async def publish(store: PostgresStore, hub: Hub, sequence: int, *texts: str) -> None:
    lines = [Line(1, "prj_a", "dep_1", "ins_1", "run", "stdout", text) for text in texts]
    for stored in (await store.append([Batch("live", sequence, lines, 1)])).stored:
        hub.publish(stored)


async def test_a_slow_follower_is_told_how_much_it_lost(store: PostgresStore) -> None:
    hub = Hub(follower_bytes=1000)
    reader = Reader(store, hub)
    await publish(store, hub, 0, "first")
    async with aclosing(reader.read(Query("prj_a"), follow=True)) as pages:
        assert [line.text for line in await anext(pages)] == ["first"]
        await publish(store, hub, 1, "second")
        assert [line.text for line in await anext(pages)] == ["second"]
        for n in range(100):
            await publish(store, hub, 2 + n, f"{n:036d}")  # a hundred bytes each with their overhead
        (skipped,) = await anext(pages)
        assert (skipped.stream, skipped.text, skipped.offset) == ("system", "… 90 lines skipped", 92)
        rest = [line for _ in range(10) for line in await anext(pages)]
        assert [line.offset for line in rest] == list(range(93, 103))
    # What it lost is still stored: reading on after the last line before the gap gives it.
    assert [line.offset async for page in store.pages(Query("prj_a", after_offset=2), 92) for line in page] == list(
        range(3, 93)
    )


async def test_lines_that_come_while_the_stored_ones_are_read_are_not_lost(store: PostgresStore) -> None:
    """More comes during the first page than the view may hold: the store gives it, and nothing is skipped."""
    hub = Hub(follower_bytes=500)
    await publish(store, hub, 0, "stored")
    async with aclosing(Reader(store, hub).read(Query("prj_a"), follow=True)) as pages:
        seen = [line.offset for line in await anext(pages)]
        for n in range(50):
            await publish(store, hub, 1 + n, "x" * 50)
        while len(seen) < 51:
            seen += [line.offset for line in await anext(pages)]
    assert seen == list(range(1, 52))


async def test_lines_that_another_process_stored_are_found(store: PostgresStore, writer: Writer) -> None:
    hub = Hub(follower_bytes=10_000)
    reader = Reader(store, hub, idle_s=0.05)
    async with aclosing(reader.read(Query("prj_a"), follow=True)) as pages:
        await publish(store, hub, 1, "ours 1")
        assert [line.text for line in await anext(pages)] == ["ours 1"]
        await writer.write("theirs 1")  # stored, but not published here
        assert [line.text for line in await anext(pages)] == ["theirs 1"]
        await writer.write("theirs 2")
        await publish(store, hub, 2, "ours 2")
        texts = [line.text for line in await anext(pages)]
        while len(texts) < 2:
            texts += [line.text for line in await anext(pages)]
        assert texts == ["theirs 2", "ours 2"]


async def test_leaving_a_view_frees_its_place(store: PostgresStore, writer: Writer) -> None:
    hub = Hub(follower_bytes=10_000)
    await writer.write("a")
    for _ in range(60):  # more than a project may have at once
        async with aclosing(Reader(store, hub).read(Query("prj_a"), follow=True)) as pages:
            assert len(await anext(pages)) == 1
