"""The ids of requests: 32 hex digits, of which 16 are this worker's own and 16 count."""

from __future__ import annotations

import os
from typing import Final

from router.core import glue

_PAIRS: Final = tuple(b"%02x" % octet for octet in range(256))


class RequestIds:
    """Makes request ids."""

    __slots__ = ("_base", "_count", "_prefix")

    def __init__(self) -> None:
        self._prefix = os.urandom(8).hex().encode()
        self._base = b""
        self._count = 0

    def next(self) -> bytes:
        """A new id."""
        count = self._count = self._count + 1
        low = count & 0xFFFF
        if not low or not self._base:
            self._base = self._prefix + b"%012x" % (count >> 16)
        return glue.glue(self._base, _PAIRS[low >> 8], _PAIRS[low & 0xFF], b"", b"")
