"""When the workers of a router last forgot answers, so that none of them stores what was asked for before.

One sparse file in their shared directory, a time for each place; a URL's place is part of its hash. Two URLs that share
a place cost a store that would have been right, so there are enough places to make that rare, and no file for each.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Final

_DIGITS: Final = 5  # of the hash: a million places, 8 MB when every one was used
_WIDTH: Final = 8  # bytes of a time: nanoseconds since the epoch, little-endian; 0 where nothing was ever forgotten
_ALL: Final = 0


class Marks:
    """The file of marks.

    Args of the constructor:
        path: made when it is needed first, and again when somebody has removed it.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def put(self, digest: str = "") -> None:
        """Notes that what is being asked for now is not to be stored.

        Args:
            digest: the URL's hash in hexadecimal; "" for every URL.
        """
        now = time.time_ns().to_bytes(_WIDTH, "little")
        with contextlib.suppress(OSError), self._opened() as file:
            try:
                os.pwrite(file, now, _place(digest) * _WIDTH)
            except OSError:  # no room for another page of the file: that of every URL is there
                os.pwrite(file, now, _ALL)

    def since(self, digest: str, asked_at: float) -> bool:
        """Whether answers of a URL, or of all, were forgotten at this time or later.

        Args:
            asked_at: seconds since the epoch.
        """
        with contextlib.suppress(OSError), self._opened() as file:
            for place in (_ALL, _place(digest)):
                if int.from_bytes(os.pread(file, _WIDTH, place * _WIDTH), "little") >= asked_at * 1e9:
                    return True
        return False

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _place(digest: str) -> int:
    return 1 + int(digest[:_DIGITS], 16) if digest else _ALL
