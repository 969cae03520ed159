"""Works the queue off: a delivery's effects and its end commit together, so each takes effect once.

A worker has a delivery for `LEASE_S`; one that dies in the middle leaves nothing behind but the attempt, and another
takes it up. What fails is tried again with growing pauses, and after `ATTEMPTS` it is dead: seen, kept for days, and
put back by hand. Deliveries of one lane keep their order, so one that waits holds back those behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from control.projects.webhooks.events import Event
from control.projects.webhooks.outcome import Outcome
from control.projects.webhooks.payloads.parse import parse
from kernel import tasks
from kernel.authority import acting_as, platform
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import ShipoffError, define, reason_of

log = logging.getLogger(__name__)

WEBHOOK_LOST = define("WEBHOOK_LOST", retryable=True, hint="another worker has it by now")
SQL: Final = load_queries("control.projects.webhooks")
LEASE_S: Final = 60.0
WORK_S: Final = 40.0  # below the lease: who still works has it still
ATTEMPTS: Final = 8
BACKOFF_S: Final = (2.0, 10.0, 30.0, 120.0, 300.0, 600.0, 600.0)  # 28 minutes in all
IDLE_S: Final = 5.0  # another process may have queued something
PRUNE_S: Final = 3600.0

Apply = Callable[[Transaction, Row, Sequence[Event]], Awaitable[list[Outcome]]]


class Worker:
    """Works on one delivery after the other.

    Args:
        apply: makes a delivery's effects in the transaction that it is given.
        days: how long what is done is kept.
        lease_s: how long a delivery is a worker's.
    """

    def __init__(self, database: Database, apply: Apply, days: int, lease_s: float = LEASE_S) -> None:
        self._database, self._apply, self._days, self._lease_s = database, apply, days, lease_s
        self._awake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, count: int = 2) -> None:
        """Begins in the background, with so many deliveries at a time."""
        self._tasks = [tasks.spawn(self._run(), f"webhooks {number}") for number in range(count)]
        self._tasks.append(tasks.spawn(tasks.repeat(self.prune, PRUNE_S, "webhooks are not pruned"), "webhooks prune"))

    async def stop(self) -> None:
        """Stops; what was under way is taken back and done again."""
        await tasks.stop(*self._tasks)

    def wake(self) -> None:
        """Something was queued."""
        self._awake.set()

    async def prune(self) -> None:
        """Forgets what is over and old."""
        await self._database.execute(SQL["prune"], self._days)

    async def _run(self) -> None:
        while True:
            self._awake.clear()  # before the look, so that what comes during it is not missed
            try:
                while await self.turn():
                    pass
                pause = await self._pause_s()
            except ShipoffError as error:
                log.warning("webhooks wait: %s", error)
                pause = IDLE_S
            except Exception:
                log.exception("webhooks go on after a fault")
                pause = IDLE_S
            try:
                async with asyncio.timeout(pause):
                    await self._awake.wait()
            except TimeoutError:
                continue

    async def _pause_s(self) -> float:
        due = await self._database.fetchval(SQL["next_due_s"])
        return IDLE_S if due is None else min(max(due, 0.1), IDLE_S)

    async def turn(self) -> bool:
        """Takes one delivery and works on it; whether there was one."""
        await self._database.execute(SQL["bury_lost"], ATTEMPTS)
        row = await self._database.fetchrow(SQL["claim"], self._lease_s, ATTEMPTS)
        if row is None:
            return False
        try:
            async with asyncio.timeout(WORK_S):
                await self._work(row)
        except Exception as error:  # noqa: BLE001 - whatever it is, the delivery is not lost by it
            await self._failed(row, error)
        return True

    async def _work(self, row: Row) -> None:
        events = await asyncio.to_thread(parse, row["provider"], row["event"], row["payload"])
        async with self._database.transaction() as tx:
            with acting_as(platform("webhooks")):  # what is recorded of the changes names it
                outcomes = await self._apply(tx, row, events)
            stored = [*row["outcomes"], *(one.stored() for one in outcomes)]
            if await tx.execute(SQL["finish"], row["id"], row["attempts"], stored) != "UPDATE 1":
                raise WEBHOOK_LOST(f"{row['id']} was taken up by another worker")

    async def _failed(self, row: Row, error: Exception) -> None:
        expected = isinstance(error, ShipoffError | TimeoutError)
        log.warning("%s failed (%r)", row["id"], error, exc_info=not expected)
        text = reason_of(error)
        if row["attempts"] >= ATTEMPTS:
            await self._database.execute(SQL["bury"], row["id"], row["attempts"], text)
        else:
            pause = BACKOFF_S[min(row["attempts"], len(BACKOFF_S)) - 1]
            await self._database.execute(SQL["retry"], row["id"], row["attempts"], pause, text)
