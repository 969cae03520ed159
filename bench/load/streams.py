"""Event streams: each arrival opens one, reads its events as they come, and leaves."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from bench.load.answer import Answer, Malformed
from bench.load.payload import payloads
from bench.load.pool import refusal
from bench.load.recorder import Recorder
from bench.load.scenario import Request
from bench.load.target import Target
from kernel.tasks import spawn


class Streams:
    """The streams of one kind of request in one process.

    Args of the constructor:
        most: streams open at a time.
    """

    def __init__(self, request: Request, target: Target, recorder: Recorder, most: int, timeout_ns: int) -> None:
        headers = {"Accept": "text/event-stream", "Connection": "close", **request.headers}
        self.name = request.name
        self.events = request.events
        self.recorder = recorder
        self._payloads = payloads(request.model_copy(update={"headers": headers}), target)
        self._target = target
        self._most = most
        self._gap_ns = int(request.gap_s * 1e9)
        self._timeout_ns = timeout_ns
        self._tls = target.context()
        self._all: set[Stream] = set()
        self._fired = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def fire(self, intended: int) -> None:
        """Opens one stream."""
        if len(self._all) >= self._most:
            self.recorder.failed(self.name, intended, "too many open in the client")
            return
        self._fired += 1
        stream = Stream(self, intended, self._payloads[self._fired % len(self._payloads)])
        self._all.add(stream)
        task = spawn(self._dial(stream), "load.stream")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dial(self, stream: Stream) -> None:
        connecting = asyncio.get_running_loop().create_connection(
            lambda: stream,
            self._target.address,
            self._target.port,
            ssl=self._tls,
            server_hostname=self._target.name if self._tls else None,
        )
        try:
            await asyncio.wait_for(connecting, self._timeout_ns / 1e9)
            self.recorder.tally.connections += 1
        except (OSError, TimeoutError) as error:
            stream.finish(refusal(error))

    def sweep(self) -> None:
        """Ends streams that say nothing."""
        now = time.monotonic_ns()
        for one in list(self._all):
            if now - one.since > (self._gap_ns if one.seen else self._timeout_ns):
                one.finish("silent" if one.seen else "timeout", waited=not one.seen)

    def busy(self) -> int:
        """Streams still open."""
        return len(self._all)

    def close(self) -> None:
        """Ends all."""
        for one in list(self._all):
            one.finish("unfinished", waited=not one.seen)

    def closed(self, stream: Stream) -> None:
        """A stream is over."""
        self._all.discard(stream)


class Stream(asyncio.Protocol):
    """One stream. Its latency is that of the first event; the gaps between events are a kind of their own.

    Attributes:
        since: the last event, or the intended start.
    """

    __slots__ = ("_answer", "_done", "_intended", "_last", "_owner", "_payload", "_transport", "seen", "since")

    def __init__(self, owner: Streams, intended: int, payload: bytes) -> None:
        self.since = self._intended = intended
        self.seen = 0
        self._owner = owner
        self._payload = payload
        self._answer = Answer(self._take)
        self._transport: asyncio.Transport | None = None
        self._done = False
        self._last = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say so
        if self._done:
            self._transport.abort()
        else:
            self._transport.write(self._payload)

    def data_received(self, data: bytes) -> None:
        try:
            whole = self._answer.feed(data)
        except Malformed:
            self.finish("malformed answer")
            return
        if self._answer.status not in (0, 200):
            self.finish(f"status {self._answer.status}")
        elif whole:
            self.finish("ended early")

    def connection_lost(self, error: Exception | None) -> None:
        self.finish("answer broke off" if self._answer.begun else "closed without an answer")

    def _take(self, data: bytes) -> None:
        """Counts the blank lines that end events (HTML, section 9.2.5)."""
        text = (self._last + data).replace(b"\r\n", b"\n")
        events = text.count(b"\n\n")
        self._last = text.rpartition(b"\n\n")[2][-3:]
        for _ in range(min(events, self._owner.events - self.seen)):
            self._event()

    def _event(self) -> None:
        recorder = self._owner.recorder
        self.seen += 1
        if self.seen == 1:
            recorder.good(self._owner.name, self._intended, 0)
        else:
            recorder.gap(f"{self._owner.name}: gaps", self.since)
        self.since = time.monotonic_ns()
        if self.seen == self._owner.events:
            self.finish("")

    def finish(self, kind: str, waited: bool = False) -> None:
        """Ends it, as an error when a kind is named."""
        if self._done:
            return
        self._done = True
        self._owner.closed(self)
        if kind:
            self._owner.recorder.failed(self._owner.name, self._intended, kind, waited)
        if self._transport is not None:
            self._transport.abort()
