"""The intake: commits batches in groups, and tells the live views.

One writer takes whatever has queued while the last commit ran and stores it in one transaction: a lone batch waits for
nobody, and under load hundreds share one fsync. A batch is answered after its commit; the queue is bounded in bytes and
refuses what does not fit, because a sender can wait better than we can.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from kernel import tasks
from kernel.errors import UNAVAILABLE, ShipoffError, define
from logsink import metrics
from logsink.lines import Batch, Stored
from logsink.store.store import Store

LOGS_OVERLOADED = define(
    "LOGS_OVERLOADED",
    status=503,
    retryable=True,
    hint="the log service has more lines than it can store; try again in a moment",
)
QUEUE_BYTES: Final = 32 << 20
GROUP_BYTES: Final = 4 << 20
GROUP_LINES: Final = 20_000  # with one batch more still below a block's span
GROUP_BATCHES: Final = 512
LINE_OVERHEAD: Final = 100  # bytes of memory that a short line takes beside its text

log = logging.getLogger(__name__)
Waiting = tuple[Batch, "asyncio.Future[bool]"]


class Intake:
    """Takes batches from the doors.

    Args:
        publish: called with the lines of each commit, in the order of the commits.
        queue_bytes: memory that waiting batches may take.
    """

    def __init__(self, store: Store, publish: Callable[[Stored], None], queue_bytes: int = QUEUE_BYTES) -> None:
        self._store, self._publish, self._limit = store, publish, queue_bytes
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closed = False
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the writer."""
        self._writer = tasks.spawn(self._write(), "logsink writer")

    async def stop(self, within_s: float = 5.0) -> None:
        """Refuses new batches, stores those that wait, and fails those that cannot be stored in time."""
        self._closed = True
        self._wake.set()
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=within_s)
            await tasks.stop(self._writer)
        for _, answer in self._queue:
            if not answer.done():
                answer.set_exception(UNAVAILABLE("the log service is stopping"))
        self._queue.clear()

    async def append(self, batch: Batch) -> bool:
        """Returns once the batch is durable; False when it had been stored before.

        Raises:
            ShipoffError: LOGS_OVERLOADED, UNAVAILABLE while stopping, DATABASE_UNAVAILABLE.
        """
        weight = _weight(batch)
        if self._closed:
            raise UNAVAILABLE("the log service is stopping")
        if self._queue and self._bytes + weight > self._limit:
            metrics.BATCHES.labels("refused").inc()
            raise LOGS_OVERLOADED(f"{self._bytes} bytes of lines wait to be stored")
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((batch, answer))
        self._weigh(weight)
        self._wake.set()
        return await answer

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._commit(self._take())
            if self._closed:
                return

    def _take(self) -> list[Waiting]:
        """The next group: at least one batch, else as many as the limits allow."""
        group: list[Waiting] = []
        size = lines = 0
        while self._queue and len(group) < GROUP_BATCHES:
            batch = self._queue[0][0]
            size, lines = size + batch.size, lines + len(batch.lines)
            if group and (size > GROUP_BYTES or lines > GROUP_LINES):
                break
            group.append(self._queue.popleft())
            self._weigh(-_weight(batch))
        return group

    async def _commit(self, group: Sequence[Waiting]) -> None:
        try:
            with metrics.COMMIT_SECONDS.time():
                outcome = await self._store.append([batch for batch, _ in group])
        except Exception as error:  # noqa: BLE001 - handed to every caller that waits for this group
            await self._failed(group, error)
            return
        for stored in outcome.stored:
            self._publish(stored)
        for (_, answer), fresh in zip(group, outcome.fresh, strict=True):
            metrics.BATCHES.labels("stored" if fresh else "repeated").inc()
            if not answer.done():
                answer.set_result(fresh)

    async def _failed(self, group: Sequence[Waiting], error: Exception) -> None:
        """One batch that the database refuses must not take its neighbours with it: they are tried one by one."""
        if len(group) > 1 and not (isinstance(error, ShipoffError) and error.retryable):
            for one in group:
                await self._commit([one])
            return
        log.error("cannot store %d batches of lines: %s", len(group), error)
        for _, answer in group:
            metrics.BATCHES.labels("failed").inc()
            if not answer.done():
                answer.set_exception(error)

    def _weigh(self, change: int) -> None:
        self._bytes += change
        metrics.QUEUED_BYTES.set(self._bytes)


def _weight(batch: Batch) -> int:
    return batch.size + LINE_OVERHEAD * len(batch.lines)
