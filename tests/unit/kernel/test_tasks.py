import asyncio
import logging

import pytest

from kernel import tasks
from kernel.errors import define

TROUBLE = define("TEST_TROUBLE")


async def test_a_failure_nobody_awaits_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("boom")

    with caplog.at_level(logging.ERROR):
        task = tasks.spawn(fail(), "the failing one")
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert "the failing one" in caplog.text
    assert "boom" in caplog.text


async def test_stop_cancels_and_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if done.is_set():
                    raise

    done = asyncio.Event()
    task = tasks.spawn(stubborn(), "stubborn")
    await asyncio.sleep(0)
    with caplog.at_level(logging.ERROR):
        await tasks.stop(task, None, within_s=0.01)
    assert "stubborn ignored its cancellation" in caplog.text
    done.set()
    await tasks.stop(task)
    assert task.cancelled()


async def test_work_that_is_repeated_outlives_its_failures(caplog: pytest.LogCaptureFixture) -> None:
    turns, done = [TROUBLE("the database is away"), OSError("no space"), KeyError("a fault"), None], asyncio.Event()

    async def turn() -> None:
        failure = turns.pop(0)
        if failure is not None:
            raise failure
        done.set()
        await asyncio.Event().wait()

    task = tasks.spawn(tasks.repeat(turn, 0.001, "nothing is swept"), "sweeps")
    async with asyncio.timeout(5):
        await done.wait()
    await tasks.stop(task)
    logged = [(record.levelname, record.getMessage(), record.exc_info is not None) for record in caplog.records]
    assert logged == [
        ("WARNING", "nothing is swept: TEST_TROUBLE: the database is away", False),
        ("WARNING", "nothing is swept: no space", False),
        ("ERROR", "nothing is swept, by a fault", True),
    ]
    assert task.cancelled()


async def test_what_is_due_early_ends_a_pause_and_is_not_missed_during_a_turn() -> None:
    wake, turns = asyncio.Event(), asyncio.Queue[None]()

    async def turn() -> None:
        if turns.empty():
            wake.set()
        await turns.put(None)

    task = tasks.spawn(tasks.repeat(turn, 3600.0, "nothing is sent", wake), "sends")
    wake.set()
    async with asyncio.timeout(5):
        while turns.qsize() < 2:
            await asyncio.sleep(0)
    await tasks.stop(task)
    assert turns.qsize() == 2
