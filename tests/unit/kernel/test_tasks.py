import asyncio
import logging

import pytest

from kernel import tasks


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
