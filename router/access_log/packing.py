"""Records between a worker and its supervisor: columns in JSON, because one call of C packs hundreds of them.

What requests share (project, environment, release, instance, kind of answer) is written once a frame. Texts that may
hold any octet but a line end are joined by line ends and read as latin-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from router.access_log.noted import Entry
from router.core.request import DONE, KINDS

_JOINED: Final = (0, 4, 5, 6, 7)  # of an entry: bytes without a line end in them
_MICRO: Final = 1_000_000


class Served(NamedTuple):
    """What answered a request."""

    project: str
    environment: str
    release: str
    instance: str
    kind: str


class Record(NamedTuple):
    """One request as others read it.

    Attributes:
        at_us: when its head was read, unix time.
        trace_id: of its traceparent, or "".
        error: the router's own code, or "".
        whole: the client got the whole answer.
        queue_us, connect_us: waits before an endpoint was picked, and for dials.
        first_us: from then to the head of the answer (to the end, when none came).
        body_us: from there to the last byte.
    """

    served: Served
    at_us: int
    id: str
    trace_id: str
    client_ip: str
    method: str
    host: str
    target: str
    status: int
    error: str
    whole: bool
    attempts: int
    received: int
    sent: int
    queue_us: int
    connect_us: int
    first_us: int
    body_us: int


def pack(entries: Sequence[Entry], offset: float) -> bytes:
    """Makes a frame.

    Args:
        entries: at least one.
        offset: what makes unix time of their clock, in seconds.
    """
    columns: list[Any] = list(zip(*entries, strict=True))
    for at in _JOINED:
        columns[at] = b"\n".join(columns[at]).decode("latin-1")
    tags: dict[tuple[Any, ...], int] = {}
    shared = zip(*columns[10:15], strict=True)
    tag = [tags.setdefault(one, len(tags)) for one in shared]
    columns[10:15] = [tag, [list(served(*one)) for one in tags]]
    return orjson.dumps([offset, *columns])


def unpack(frame: bytes) -> list[Record]:
    """Reads a frame.

    Raises:
        ValueError: it is none.
    """
    offset, *columns = orjson.loads(frame)
    for at in _JOINED:
        columns[at] = columns[at].split("\n")
    tags = [Served(*one) for one in columns.pop(11)]
    return [_record(offset, tags[tag], rest) for tag, *rest in zip(columns.pop(10), *columns, strict=True)]


def served(kind: int, project: str, environment: str, release: str, instance: str) -> Served:
    """What answered, from the fields of an entry."""
    return Served(project, environment, release, instance, KINDS[kind])


def times(started: float, ended: float, queued: float, connecting: float, first: float) -> tuple[int, int, int, int]:
    """Queue, connect, first byte and body in microseconds; together they are the whole."""
    answered = first or ended
    waited = max(0.0, answered - started - queued - connecting)
    return int(queued * _MICRO), int(connecting * _MICRO), int(waited * _MICRO), int((ended - answered) * _MICRO)


def _record(offset: float, by: Served, rest: list[Any]) -> Record:
    id_, started, ended, ip, method, host, target, trace, status, error, phase, attempts, received, sent, *waits = rest
    return Record(
        by,
        int((started + offset) * _MICRO),
        id_,
        trace[3:35],
        ip,
        method,
        host,
        target,
        status,
        error,
        phase == DONE,
        attempts,
        received,
        sent,
        *times(started, ended, *waits),
    )
