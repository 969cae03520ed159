"""What a worker notes of requests that have ended, until somebody takes it. Nothing here formats anything."""

from __future__ import annotations

from typing import Any, Final

from kernel.errors import ErrorKind
from router.core.request import DONE, ERROR, Request

_MOST: Final = 16_384  # some 0.8 s at 20,000 requests a second
_MOST_TARGET: Final = 1024
_MOST_HOST: Final = 255
# id, started, ended, ip, method, host, target, traceparent, status, error, kind, route, release, endpoint, phase,
# attempts, received, sent, queued, connecting, first
Entry = tuple[Any, ...]


class AccessLog:
    """The list between the path and the task that empties it.

    Attributes:
        dropped: records that did not fit, not yet told (`take_dropped`).
    """

    __slots__ = ("_entries", "dropped")

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self.dropped = 0

    def add(self, request: Request, ip: str, ended: float) -> None:
        """Notes a request that has ended.

        Args:
            ip: what counts as the client's address.
            ended: on the clock of `request.started`.
        """
        entries = self._entries
        if len(entries) >= _MOST:
            self.dropped += 1
            return
        head = request.head
        entries.append(
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
                request.route,
                request.release,
                request.endpoint,
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
        if len(self._entries) < _MOST:
            known = (request_id, now, now, ip, b"", b"", b"", b"", kind.status, kind.code, ERROR, None, "", None)
            self._entries.append((*known, DONE, 0, 0, 0, 0.0, 0.0, 0.0))
        else:
            self.dropped += 1

    def take(self, most: int) -> list[Entry]:
        """Takes the oldest out, at most so many."""
        entries = self._entries
        if len(entries) <= most:
            self._entries = []
            return entries
        self._entries = entries[most:]
        return entries[:most]

    def take_dropped(self) -> int:
        """How many were dropped since the last call."""
        dropped, self.dropped = self.dropped, 0
        return dropped

    def __len__(self) -> int:
        return len(self._entries)
