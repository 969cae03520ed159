"""One JSON line per request, written in batches beside the data path; too many are dropped and counted.

The door to logsink (batches over gRPC) takes the place of the file when it is built; `add` and `flush` stay.
"""

from __future__ import annotations

import os
import time
from typing import Final

import orjson

from router.core.request import Request

_MOST: Final = 20_000


class AccessLog:
    """Collects the lines of one worker."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o640)
        self._lines: list[bytes] = []
        self._dropped = 0

    def add(self, request: Request, ip: str, seconds: float) -> None:
        """Notes a request that has ended."""
        if len(self._lines) >= _MOST:
            self._dropped += 1
            return
        head = request.head
        line = {
            "at": time.time(),
            "id": request.id.decode(),
            "ip": ip,
            "method": head.method.decode(),
            "host": head.host.decode("latin-1"),
            "target": head.target.decode("latin-1"),
            "status": request.status,
            "error": request.error,
            "release": request.release,
            "instance": request.endpoint.instance if request.endpoint else "",
            "attempts": request.attempts,
            "received": request.received,
            "sent": request.sent,
            "seconds": round(seconds, 6),
        }
        self._lines.append(orjson.dumps(line) + b"\n")

    def flush(self) -> int:
        """Writes what was collected; returns how many lines were dropped since the last time."""
        lines, self._lines = self._lines, []
        dropped, self._dropped = self._dropped, 0
        if lines:
            try:
                os.write(self._descriptor, b"".join(lines))
            except OSError:
                dropped += len(lines)
        return dropped

    def close(self) -> None:
        """Writes the rest and closes the file."""
        self.flush()
        os.close(self._descriptor)
