"""The intake answers after the commit, groups under load, refuses what does not fit, and finishes when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from kernel import tasks
from kernel.database import Database
from kernel.errors import ShipoffError
from logsink.lines import Batch, Line, Query, Stored
from logsink.receive.intake import Intake
from logsink.store.postgres import PostgresStore
from tests.integration.logsink.conftest import read


def batch(sequence: int, text: str = "x", project: str = "prj_a") -> Batch:
    return Batch("p", sequence, [Line(1, project, "dep_1", "", "run", "stdout", text)], len(text))


@pytest.fixture
def published() -> list[Stored]:
    return []


@pytest.fixture
async def intake(store: PostgresStore, published: list[Stored]) -> AsyncIterator[Intake]:
    running = Intake(store, published.append, queue_bytes=10_000)
    running.start()
    yield running
    await running.stop()


async def test_an_answer_means_that_it_is_stored_and_published(
    intake: Intake, store: PostgresStore, published: list[Stored]
) -> None:
    assert await intake.append(batch(1))
    assert len(await read(store, Query("prj_a"))) == 1
    assert [(one.before, one.last) for one in published] == [(0, 1)]
    assert not await intake.append(batch(1))
    assert len(published) == 1


async def test_what_queues_during_a_commit_is_stored_together(intake: Intake, published: list[Stored]) -> None:
    answers = await asyncio.gather(*[intake.append(batch(n)) for n in range(50)])
    assert all(answers)
    assert len(published) < 5
    assert [line.offset for one in published for line in one.lines] == list(range(1, 51))


async def test_too_much_is_refused_at_once_and_what_waits_is_stored(
    intake: Intake, store: PostgresStore, db: Database
) -> None:
    await intake.append(batch(0))
    async with db.transaction() as tx:
        await tx.execute("select * from projects for update")  # the writer now waits for this row
        sent = [tasks.spawn(_attempt(intake, batch(1 + n, "x" * 900)), f"append {n}") for n in range(30)]
        await asyncio.sleep(0.05)
        refused = [task.result() for task in sent if task.done()]
        assert set(refused) == {"LOGS_OVERLOADED"}
        assert 10 <= len(sent) - len(refused) < 20  # ten wait, and one group is being committed
    answers = await asyncio.gather(*sent)
    assert answers.count("stored") == len(sent) - len(refused)
    assert len(await read(store, Query("prj_a"))) == 1 + answers.count("stored")


async def _attempt(intake: Intake, one: Batch) -> str:
    try:
        return "stored" if await intake.append(one) else "repeated"
    except ShipoffError as error:
        return error.code


async def test_a_batch_larger_than_the_queue_passes_when_nothing_waits(intake: Intake) -> None:
    assert await intake.append(batch(1, "x" * 50_000))


async def test_stopping_stores_what_waits(store: PostgresStore) -> None:
    intake = Intake(store, lambda _: None)
    intake.start()
    waiting = [tasks.spawn(intake.append(batch(n)), f"append {n}") for n in range(20)]
    await asyncio.sleep(0)
    await intake.stop()
    assert all(await asyncio.gather(*waiting))
    with pytest.raises(ShipoffError):
        await intake.append(batch(99))


async def test_a_batch_that_the_database_refuses_does_not_take_its_neighbours_with_it(
    intake: Intake, store: PostgresStore
) -> None:
    """Validation keeps such names out; if one slips through, only its sender pays."""
    bad = batch(2, project="prj\x00")
    answers = await asyncio.gather(
        intake.append(batch(0)),
        intake.append(batch(1)),
        intake.append(bad),
        intake.append(batch(3)),
        return_exceptions=True,
    )
    assert [answers[0], answers[1], answers[3]] == [True, True, True]
    assert isinstance(answers[2], Exception)
    assert len(await read(store, Query("prj_a"))) == 3


async def test_a_sender_that_leaves_disturbs_nobody(intake: Intake, store: PostgresStore) -> None:
    leaving = tasks.spawn(intake.append(batch(1)), "leaving")
    staying = tasks.spawn(intake.append(batch(2)), "staying")
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying
    assert len(await read(store, Query("prj_a"))) == 2
