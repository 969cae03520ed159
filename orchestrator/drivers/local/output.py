"""The output of a build on its way to the log: whole up to a limit, then only its end, and an end of the build at last.

A step may write faster than lines can be made of it, so past the limit nothing is made of anything until the step is
over: the bytes are counted, and the last ones kept.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from orchestrator.drivers.base import Limits, LogStream, OnLine
from orchestrator.drivers.local.lines import KEEP_LAST, LineSplitter

TAIL_BYTES: Final = 64 << 10
_STREAMS: Final[tuple[LogStream, ...]] = ("stdout", "stderr")
_LINE_COST: Final = 32  # a line without text costs the log something too


class BuildOutput:
    """What the steps of one build say.

    Args:
        limits: log_bytes, output_bytes and line_bytes count.
        on_line: where lines go.
    """

    def __init__(self, limits: Limits, on_line: OnLine) -> None:
        self._limits, self._on_line = limits, on_line
        self._room = limits.log_bytes
        self._total = 0
        self._begin_step()

    def _begin_step(self) -> None:
        self._splitters = {name: LineSplitter(self._limits.line_bytes) for name in _STREAMS}
        self._tails = dict.fromkeys(_STREAMS, b"")
        self._left_out = 0
        self.last: deque[str] = deque(maxlen=KEEP_LAST)

    @property
    def too_much(self) -> bool:
        """Whether more was written than a build may write."""
        return self._total > self._limits.output_bytes

    async def say(self, text: str) -> None:
        """A line of the platform's own."""
        await self._on_line("platform", text)

    async def command(self, command: str) -> None:
        """A step begins."""
        self._begin_step()
        await self.say(f"$ {command}")

    async def feed(self, stream: LogStream, data: bytes) -> None:
        """Bytes that a step wrote."""
        self._total += len(data)
        if self._room <= 0:
            self._leave_out(stream, data)
            return
        lines = self._splitters[stream].feed(data)
        for line in lines:
            await self._line(stream, line)
            if self._room <= 0:
                self._leave_out(stream, "".join(f"{rest}\n" for rest in lines).encode())

    def _leave_out(self, stream: LogStream, data: bytes) -> None:
        self._left_out += len(data)
        self._tails[stream] = (self._tails[stream] + data)[-TAIL_BYTES:]

    async def end(self) -> None:
        """The step is over: what has no line feed, and the end of what was left out."""
        for stream in _STREAMS:
            for line in self._splitters[stream].end():
                await self._line(stream, line)
        if self._left_out:
            size = f"{self._left_out / 2**20:.1f} MiB"
            await self.say(f"… {size} of output are left out here: the log keeps {self._limits.log_bytes >> 10} KiB …")
            for stream in _STREAMS:
                await self._tail(stream)

    async def _tail(self, stream: LogStream) -> None:
        splitter = LineSplitter(self._limits.line_bytes)
        lines = [*splitter.feed(self._tails[stream]), *splitter.end()]
        for line in lines[-KEEP_LAST:]:
            self.last.append(line)
            await self._on_line(stream, line)

    async def _line(self, stream: LogStream, text: str) -> None:
        self.last.append(text)
        self._room -= len(text) + _LINE_COST
        await self._on_line(stream, text)
