"""Records as JSON lines, formatted by hand: the file is written for every request, and orjson takes twice as long.

Everything in a line is a number, a word of ours, or ASCII without quotes and backslashes; only what is not so (some
targets and hosts that clients send) goes through orjson.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from router import COMPILED
from router.access_log.noted import AccessLog, Entry
from router.access_log.packing import served
from router.core.request import DONE

# Compiled: the same in C for records without anything to escape, None for the others.
quick_line: Callable[[Entry, float, bytes], bytes | None] | None = None
_log: type[AccessLog] = AccessLog
if COMPILED:
    from router.access_log import quick

    quick_line, _log = quick.quick_line, quick.LineLog

_LINE: Final = (
    b'{"at":%d.%06d,"id":"%b","trace":"%b","ip":"%b","method":"%b","host":"%b","target":"%b","status":%d,"error":"%b",'
    b'%b,"whole":%b,"attempts":%d,"received":%d,"sent":%d,"queue_ms":%d.%03d,"connect_ms":%d.%03d,'
    b'"first_byte_ms":%d.%03d,"body_ms":%d.%03d}\n'
)


def line_log() -> AccessLog:
    """An access log whose frames are lines."""
    return _log(lines)


def lines(entries: Sequence[Entry], offset: float) -> bytes:
    """One JSON line each.

    Args:
        offset: what makes unix time of the entries' clock, in seconds.
    """
    known: dict[tuple[Any, ...], bytes] = {}
    made = []
    for entry in entries:
        shared = entry[10:15]
        by = known.get(shared)
        if by is None:
            by = known[shared] = orjson.dumps(served(*shared)._asdict())[1:-1]
        made.append((quick_line(entry, offset, by) if quick_line is not None else None) or line(entry, offset, by))
    return b"".join(made)


def line(entry: Entry, offset: float, by: bytes) -> bytes:
    """One record.

    Args:
        by: what answered, as the inside of a JSON object.
    """
    id_, started, ended, ip, method, host, target, trace, status, error, *_ = entry
    phase, attempts, received, sent, queued, connecting, first = entry[15:]
    answered = first or ended
    at = int((offset + started) * 1e6)
    queue, connect, body = int(queued * 1e6), int(connecting * 1e6), int((ended - answered) * 1e6)
    waited = max(0, int((answered - started - queued - connecting) * 1e6))
    return _LINE % (
        at // 1_000_000,
        at % 1_000_000,
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
        *divmod(queue, 1000),
        *divmod(connect, 1000),
        *divmod(waited, 1000),
        *divmod(body, 1000),
    )


def _text(octets: bytes) -> bytes:
    """Octets that a client sent, inside quotes."""
    if octets.isascii() and b'"' not in octets and b"\\" not in octets and b"\t" not in octets:
        return octets
    return orjson.dumps(octets.decode("latin-1"))[1:-1]
