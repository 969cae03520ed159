"""What a worker notes of requests that have ended, until somebody takes it.

The path appends one tuple to a short list. When that has `_FRAME` entries, they are packed into one piece of bytes as
soon as the loop is free: a long list of live objects would push everything else out of the processor's caches, which
costs ten times what packing does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from kernel.errors import ErrorKind
from router.core.request import DONE, ERROR, Request

_FRAME: Final = 256
_MOST_LOOSE: Final = 4096  # in one turn of the loop
_PLENTY: Final = 8  # frames, some 400 KB: they are still in the processor's cache when they are written
_MOST: Final = 32_768  # records in frames, some 6 MB
_MOST_TARGET: Final = 1024
_MOST_HOST: Final = 255
# id, started, ended, ip, method, host, target, traceparent, status, error, kind, project, environment, release,
# instance, phase, attempts, received, sent, queued, connecting, first. Texts and numbers only: such a tuple is none of
# the garbage collector's business.
Entry = tuple[Any, ...]
Pack = Callable[[Sequence[Entry], float], bytes]


class Frame:
    """Some records, packed.

    Attributes:
        count: how many.
    """

    __slots__ = ("count", "data")

    def __init__(self, data: bytes, count: int) -> None:
        self.data = data
        self.count = count


class AccessLog:
    """The list between the path and the task that empties it (outlet.py).

    Attributes:
        dropped: records that did not fit, not yet told (`take_dropped`).
        plenty: set when there is enough to be taken at once.

    Args of the constructor:
        pack: makes bytes of entries; gets what makes unix time of their clock, in seconds.
    """

    __slots__ = ("_entries", "_frames", "_pack", "_packed", "dropped", "plenty")

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._entries: list[Entry] = []
        self._frames: deque[Frame] = deque()
        self._packed = 0
        self.dropped = 0
        self.plenty = asyncio.Event()

    def add(self, request: Request, ip: str, ended: float) -> None:
        """Notes a request that has ended.

        Args:
            ip: what counts as the client's address.
            ended: on the clock of `request.started`.
        """
        head, route, endpoint = request.head, request.route, request.endpoint
        self._note(
            (
                request.id,
                request.started,
                ended,
                ip,
                head.method,
                head.host[:_MOST_HOST],
                head.target[:_MOST_TARGET],
                head.traceparent,
                request.status,
                request.error,
                request.kind,
                route.project if route is not None else "",
                route.environment if route is not None else "",
                request.release,
                endpoint.instance if endpoint is not None else "",
                request.phase,
                request.attempts,
                request.received,
                request.sent,
                request.queued,
                request.connecting,
                request.first,
            )
        )

    def unread(self, kind: ErrorKind, request_id: bytes, ip: str, now: float) -> None:
        """Notes the answer to a head that could not be read: by whom it was sent is all that is known."""
        known = (request_id, now, now, ip, b"", b"", b"", b"", kind.status, kind.code, ERROR, "", "", "", "")
        self._note((*known, DONE, 0, 0, 0, 0.0, 0.0, 0.0))

    def take(self) -> Frame | None:
        """Takes the oldest frame out; None when there is none, and nothing loose that could make one."""
        if not self._frames:
            self._gather()
            if not self._frames:
                return None
        frame = self._frames.popleft()
        self._packed -= frame.count
        return frame

    def take_dropped(self) -> int:
        """How many were dropped since the last call."""
        dropped, self.dropped = self.dropped, 0
        return dropped

    def __len__(self) -> int:
        return self._packed + len(self._entries)

    def _note(self, entry: Entry) -> None:
        entries = self._entries
        entries.append(entry)
        if len(entries) >= _FRAME:
            if len(entries) == _FRAME:
                asyncio.get_running_loop().call_soon(self._gather)
            elif len(entries) > _MOST_LOOSE:
                _ = entries.pop()
                self.dropped += 1

    def _gather(self) -> None:
        """Packs what is loose, or drops it when the frames are too many."""
        entries, self._entries = self._entries, []
        if not entries:
            return
        if self._packed + len(entries) > _MOST:
            self.dropped += len(entries)
            return
        data = self._pack(entries, time.time() - time.perf_counter())
        self._keep(Frame(data, len(entries)))

    def _keep(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._packed += frame.count
        if len(self._frames) >= _PLENTY:
            self.plenty.set()
