"""Records as JSON lines, formatted by hand: the file is written for every request, and this is twice as fast as orjson.

Everything in a line is a number, a word of ours, or ASCII without quotes and backslashes; only what is not so (some
targets and hosts that clients send) goes through orjson.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from router.access_log.noted import Entry
from router.access_log.packing import served
from router.core.request import DONE

_LINE: Final = (
    b'{"at":%.6f,"id":"%b","trace":"%b","ip":"%b","method":"%b","host":"%b","target":"%b","status":%d,"error":"%b",'
    b'%b,"whole":%b,"attempts":%d,"received":%d,"sent":%d,"queue_ms":%b,"connect_ms":%b,"first_byte_ms":%.3f,'
    b'"body_ms":%.3f}\n'
)


def lines(entries: Sequence[Entry], offset: float) -> bytes:
    """One JSON line each.

    Args:
        offset: what makes unix time of the entries' clock, in seconds.
    """
    known: dict[tuple[Any, ...], bytes] = {}
    return b"".join([_line(entry, offset, known) for entry in entries])


def _line(entry: Entry, offset: float, known: dict[tuple[Any, ...], bytes]) -> bytes:
    id_, started, ended, ip, method, host, target, trace, status, error, *_ = entry
    phase, attempts, received, sent, queued, connecting, first = entry[15:]
    shared = entry[10:15]
    by = known.get(shared)
    if by is None:
        by = known[shared] = orjson.dumps(served(*shared)._asdict())[1:-1]
    answered = first or ended
    return _LINE % (
        offset + started,
        id_,
        trace[3:35],
        ip.encode(),
        method,
        _text(host),
        _text(target),
        status,
        error.encode(),
        by,
        b"true" if phase == DONE else b"false",
        attempts,
        received,
        sent,
        b"%.3f" % (queued * 1000) if queued else b"0",
        b"%.3f" % (connecting * 1000) if connecting else b"0",
        max(0.0, answered - started - queued - connecting) * 1000,
        (ended - answered) * 1000,
    )


def _text(octets: bytes) -> bytes:
    """Octets that a client sent, inside quotes."""
    if octets.isascii() and b'"' not in octets and b"\\" not in octets and b"\t" not in octets:
        return octets
    return orjson.dumps(octets.decode("latin-1"))[1:-1]
