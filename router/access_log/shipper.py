"""Sends the workers' access log to logsink: one batch at a time, each with its sequence until logsink has answered.

While logsink is gone frames are kept up to `_MOST_BYTES`; then the oldest go, with a count. Records without a project
are not sent: they are nobody's to read, and whoever asks for hosts that are not there could fill a store with them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from typing import Any, Final

from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from kernel.tasks import spawn, stop
from proto.logsink.v1 import logsink_pb2 as pb
from proto.logsink.v1.logsink_pb2_grpc import LogsStub
from router.access_log.packing import Record, Served, unpack

log = logging.getLogger(__name__)
_EVERY_S: Final = 1.0
_BATCH: Final = 4000  # records; logsink takes 10,000 and 4 MiB
_MOST_BYTES: Final = 16 << 20  # some 80,000 records
_DEADLINE_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 10.0
_LAST_S: Final = 3.0
Frame = tuple[bytes, int]


class Shipper:
    """The way of records from the supervisor to logsink.

    Attributes:
        counts: records by what became of them.
    """

    def __init__(self, address: str, token: str, node: str) -> None:
        self.counts = dict.fromkeys(("stored", "dropped", "refused", "without_project"), 0)
        self._client = RpcClient(address, token, idempotent=frozenset({"AppendRequests"}))
        self._append = self._client.stub(LogsStub).AppendRequests
        self._producer = f"router/{node}/{os.urandom(8).hex()}"
        self._sequence = 0
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._sending: list[Frame] = []
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Records that are not sent yet."""
        return sum(count for _, count in (*self._frames, *self._sending))

    def start(self) -> None:
        """Starts to send."""
        self._task = spawn(self._run(), "router.shipper")

    def put(self, frame: bytes, count: int) -> None:
        """Takes a frame; the oldest goes when there are too many."""
        self._frames.append((frame, count))
        self._bytes += len(frame)
        while self._bytes > _MOST_BYTES:
            oldest, lost = self._frames.popleft()
            self._bytes -= len(oldest)
            self.counts["dropped"] += lost

    async def stop(self) -> None:
        """Sends what waits, if that is possible within `_LAST_S`."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_LAST_S)
            await stop(self._task)
        if self.waiting:
            log.warning("%d records of the access log are lost: logsink did not take them in time", self.waiting)
        await self._client.close()

    async def _run(self) -> None:
        while True:
            while self._frames:
                self._sequence += 1
                self._sending = self._take()
                await self._deliver(self._message(self._sending))
                self._sending = []
            if self._closing.is_set():
                return
            await self._pause(_EVERY_S)

    async def _deliver(self, message: pb.AppendRequestsRequest) -> None:
        """Sends a batch until logsink has it, or says that it never will."""
        count, pause, told = len(message.requests.at_us), _FIRST_PAUSE_S, False
        while count:
            try:
                await self._append(message, timeout=_DEADLINE_S)
                self.counts["stored"] += count
                return
            except ShipoffError as error:
                if not error.retryable:
                    log.error("logsink refuses %d records of the access log: %s", count, error)
                    self.counts["refused"] += count
                    return
                if not told:
                    log.warning("the access log waits for logsink: %s", error)
                told = True
            await self._pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
            await asyncio.sleep(_FIRST_PAUSE_S if self._sending else 0)  # the last attempts, until `stop` gives up
        except TimeoutError:
            pass

    def _take(self) -> list[Frame]:
        """The oldest frames, at least one and about a batch."""
        taken, records = [], 0
        while self._frames and records < _BATCH:
            frame = self._frames.popleft()
            self._bytes -= len(frame[0])
            records += frame[1]
            taken.append(frame)
        return taken

    def _message(self, frames: list[Frame]) -> pb.AppendRequestsRequest:
        records: list[Record] = []
        for frame, count in frames:
            try:
                records += unpack(frame)
            except (ValueError, TypeError, IndexError) as error:  # of a worker of another program
                log.error("%d records of the access log cannot be read: %r", count, error)
                self.counts["refused"] += count
        owned = [record for record in records if record.served.project]
        self.counts["without_project"] += len(records) - len(owned)
        return pb.AppendRequestsRequest(producer=self._producer, sequence=self._sequence, requests=_columns(owned))


def _columns(records: list[Record]) -> pb.RequestColumns:
    tags: dict[Served, int] = {}
    by = [tags.setdefault(record.served, len(tags)) for record in records]
    columns = pb.RequestColumns(by=by)
    for one in tags:
        columns.served.add(
            project_id=one.project,
            environment=one.environment,
            release_id=one.release,
            instance_id=one.instance,
            kind=one.kind,
        )
    values: Any = zip(*(record[1:] for record in records), strict=True)
    for name, column in zip(Record._fields[1:], values, strict=bool(records)):
        getattr(columns, name).extend(column)
    return columns
