"""Records as JSON lines, formatted by hand: the file is written for every request, and orjson takes twice as long.

Everything in a line is a number, a word of ours, or ASCII without quotes and backslashes; only what is not so (some
targets and hosts that clients send) goes through orjson. What has its usual value is left out, which makes a line a
quarter shorter: no `trace`, no `error`, `whole` true, one of `attempts`, nothing `received`, no time in `queue_ms` and
`connect_ms`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from router import COMPILED
from router.access_log.noted import AccessLog, Entry
from router.access_log.packing import served
from router.core.request import DONE

_LINE: Final = (
    b'{"at":%d.%06d,"id":"%b",%b"ip":"%b","method":"%b","host":"%b","target":"%b","status":%d,%b%b,%b"sent":%d,'
    b'%b%b"first_byte_ms":%d.%03d,"body_ms":%d.%03d}\n'
)
_LEAST_S: Final = 1e-6
# Compiled: the same in C for records without anything to escape, None for the others.
quick_line: Callable[[Entry, float, bytes], bytes | None] | None = None
_log: type[AccessLog] = AccessLog
if COMPILED:
    from router.access_log import quick

    quick_line, _log = quick.quick_line, quick.LineLog


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
    waited = max(0.0, answered - started - queued - connecting)
    micros, body = int((offset + started) * 1e6), int((ended - answered) * 1e6)
    usual = phase == DONE and attempts == 1 and not received
    return _LINE % (
        micros // 1_000_000,
        micros % 1_000_000,
        id_,
        b'"trace":"%b",' % trace[3:35] if trace else b"",
        ip.encode(),
        method,
        _text(host),
        _text(target),
        status,
        b'"error":"%b",' % error.encode() if error else b"",
        by,
        b"" if usual else _unusual(phase == DONE, attempts, received),
        sent,
        _millis(b"queue_ms", queued) if queued >= _LEAST_S else b"",
        _millis(b"connect_ms", connecting) if connecting >= _LEAST_S else b"",
        *divmod(int(waited * 1e6), 1000),
        *divmod(body, 1000),
    )


def _unusual(whole: bool, attempts: int, received: int) -> bytes:
    odd = b"" if whole else b'"whole":false,'
    odd += b'"attempts":%d,' % attempts if attempts != 1 else b""
    return odd + (b'"received":%d,' % received if received else b"")


def _millis(name: bytes, seconds: float) -> bytes:
    return b'"%b":%d.%03d,' % (name, *divmod(int(seconds * 1e6), 1000))


def _text(octets: bytes) -> bytes:
    """Octets that a client sent, inside quotes."""
    if octets.isascii() and b'"' not in octets and b"\\" not in octets and b"\t" not in octets:
        return octets
    return orjson.dumps(octets.decode("latin-1"))[1:-1]
