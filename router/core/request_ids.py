"""The ids of requests: 32 hex digits, of which 16 are this worker's own and 16 count."""

from __future__ import annotations

import os


class RequestIds:
    """Makes request ids."""

    __slots__ = ("_count", "_prefix")

    def __init__(self) -> None:
        self._prefix = os.urandom(8).hex().encode()
        self._count = 0

    def next(self) -> bytes:
        """A new id."""
        self._count += 1
        return b"%b%016x" % (self._prefix, self._count)
