"""Why what a build left can't become an artifact, and what of it is the machine's fault instead."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kernel.errors import define

ARTIFACT_TOO_LARGE = define(
    "ARTIFACT_TOO_LARGE",
    source="client",
    status=422,
    hint="leave out what the app does not need to run, or ask for more",
)
ARTIFACT_REFUSED = define("ARTIFACT_REFUSED", source="client", status=422)
DISK_FULL = define(
    "DISK_FULL",
    status=507,
    retryable=True,
    hint="the machine that builds has no room left; its operator must make some",
)
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# What a tenant's files can be to a reader: too deep, in circles, closed.
_UNREADABLE: Final = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM})


@contextmanager
def readable() -> Iterator[None]:
    """Translates what goes wrong while a tenant's files are read, or written elsewhere.

    Raises:
        ShipoffError: ARTIFACT_REFUSED, DISK_FULL.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DISK_FULL("there is no room for the artifact") from error
        if error.errno in _UNREADABLE:
            name = str(error.filename or "")
            shown = name if len(name) < 200 else f"…{name[-100:]}"
            raise ARTIFACT_REFUSED(f"a file can't be read: {error.strerror} ({shown})") from error
        raise
