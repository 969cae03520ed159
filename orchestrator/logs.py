"""Sends build lines and instances' output to the log service, bounded, each batch stored once.

A build never waits for the log service and never fails for its sake: its lines wait in a bounded buffer and what
overflows is counted in a line of its own. An instance's lines wait in its file, so nothing is lost while the log
service is away unless the file rotates.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

from kernel import ids, tasks
from kernel.database import Database, load_queries
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from orchestrator.drivers.base import Driver, InstanceInfo, LogLine, LogPage, OnLine
from orchestrator.masking import Masker
from proto.logsink.v1.logsink_pb2 import AppendRequest, Line
from proto.logsink.v1.logsink_pb2_grpc import LogsStub

SQL: Final = load_queries("orchestrator")
log = logging.getLogger(__name__)

BUFFER: Final = 20_000  # build lines that may wait
BATCH: Final = 500
APPEND_S: Final = 5.0
FINISH_S: Final = 3.0  # how long the end of a log may take to reach the log service before we go on without
LINGER_S: Final = 0.02  # lines of a burst travel together
POLL_S: Final = 0.2
RETRY_S: Final = 1.0


class LogClient:
    """The log service's door."""

    def __init__(self, address: str, token: str) -> None:
        self._client = RpcClient(address, token, idempotent=frozenset({"Append"}))
        self._stub = self._client.stub(LogsStub)

    async def append(self, producer: str, sequence: int, lines: list[Line]) -> None:
        """Stores a batch once, however often it is sent.

        Raises:
            ShipoffError: from the log service, or that it can't be reached.
        """
        await self._stub.Append(AppendRequest(producer=producer, sequence=sequence, lines=lines), timeout=APPEND_S)

    async def close(self) -> None:
        """Closes the channel."""
        await self._client.close()


class BuildLog:
    """The lines of one attempt to build and release."""

    def __init__(self, client: LogClient, project_id: str, deployment_id: str) -> None:
        self._client, self._project, self._deployment = client, project_id, deployment_id
        self._producer = f"{deployment_id}/{ids.new('bld')}"
        self._waiting: deque[Line] = deque()
        self._dropped = 0
        self._masker = Masker()
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._sender = tasks.spawn(self._send(), f"build log of {deployment_id}")

    def hide(self, variables: Mapping[str, str]) -> None:
        """Keeps these variables' secrets out of the lines from now on."""
        self._masker = Masker(variables)

    def masked(self, text: str) -> str:
        """A text that goes elsewhere, without the secrets."""
        return self._masker.mask(text)

    async def line(self, stream: str, text: str) -> None:
        """Adds a line; stream is stdout, stderr or platform."""
        if len(self._waiting) >= BUFFER:
            self._dropped += 1
            return
        self._waiting.append(self._line(stream, text))
        self._idle.clear()
        self._some.set()

    async def say(self, text: str) -> None:
        """Adds a line of the platform's own."""
        await self.line("platform", text)

    async def finish(self) -> None:
        """Waits, bounded, until the lines are stored, and ends."""
        try:
            await asyncio.wait_for(self._idle.wait(), FINISH_S)
        except TimeoutError:
            log.warning("the end of the build log of %s is lost: the log service is away", self._deployment)
        await tasks.stop(self._sender)

    def _line(self, stream: str, text: str) -> Line:
        return Line(
            at_ns=time.time_ns(),
            project_id=self._project,
            deployment_id=self._deployment,
            source="build",
            stream="system" if stream == "platform" else stream,
            text=self._masker.mask(text),
        )

    async def _send(self) -> None:
        sequence = 0
        while True:
            await self._some.wait()
            await asyncio.sleep(LINGER_S)
            if self._dropped:
                self._waiting.append(self._line("platform", f"… {self._dropped} lines were dropped here"))
                self._dropped = 0
            batch = [self._waiting[i] for i in range(min(BATCH, len(self._waiting)))]
            sequence += 1
            await _until_stored(self._client, self._producer, sequence, batch)
            for _ in batch:
                self._waiting.popleft()
            if not self._waiting:
                self._some.clear()
                self._idle.set()


class InstanceLog:
    """Ships one instance's output from its file, from where an earlier process stopped."""

    def __init__(
        self, client: LogClient, driver: Driver, database: Database, info: InstanceInfo, offset: int, deployment_id: str
    ) -> None:
        self._client, self._driver, self._database = client, driver, database
        self._info, self._offset, self._deployment = info, offset, deployment_id
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins shipping in the background."""
        self._task = tasks.spawn(self._run(), f"log of {self._info.instance_id}")

    async def finish(self) -> None:
        """Ships what is left of an ended instance, bounded."""
        self._ended.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=FINISH_S)
            await tasks.stop(self._task)

    async def stop(self) -> None:
        """Stops where it is; the offset of what was shipped is stored."""
        await tasks.stop(self._task)

    async def _run(self) -> None:
        while True:
            last = self._ended.is_set()  # before the read: what follows the end is nothing
            try:
                page = await self._driver.logs(self._info.instance_id, self._offset)
            except ShipoffError as error:
                log.info("no more log of %s: %s", self._info.instance_id, error)
                return
            if page.lines:
                await self._deliver(page)
            elif last:
                return
            else:
                await _either(self._ended, POLL_S)
            self._offset = page.next

    async def _deliver(self, page: LogPage) -> None:
        lines = [self._line(line) for line in page.lines]
        # The offset grows with every batch, so it serves as the sequence, across restarts.
        await _until_stored(self._client, f"{self._info.instance_id}/run", page.next, lines)
        await self._remember(page.next)

    async def _remember(self, offset: int) -> None:
        try:
            await self._database.execute(SQL["set_log_offset"], self._info.instance_id, offset)
        except ShipoffError as error:
            log.warning("the log offset of %s is not stored: %s", self._info.instance_id, error)

    def _line(self, line: LogLine) -> Line:
        return Line(
            at_ns=line.at_ms * 1_000_000,
            project_id=self._info.project_id,
            deployment_id=self._deployment,
            instance_id=self._info.instance_id,
            source="run",
            stream="system" if line.stream == "platform" else line.stream,
            text=line.text,
        )


class JobLog(InstanceLog):
    """Hands an instance's output to whoever waits for its end, instead of shipping it as the app's."""

    def __init__(self, driver: Driver, info: InstanceInfo, on_line: OnLine) -> None:
        self._driver, self._info, self._on_line, self._offset = driver, info, on_line, 0
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def _deliver(self, page: LogPage) -> None:
        for line in page.lines:
            await self._on_line(line.stream, line.text)


async def _until_stored(client: LogClient, producer: str, sequence: int, lines: list[Line]) -> None:
    while True:
        try:
            await client.append(producer, sequence, lines)
            return
        except ShipoffError as error:
            if not error.retryable:
                log.error("the log service refuses lines of %s: %s", producer, error)
                return
            await asyncio.sleep(RETRY_S)


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
