"""From what a sender says to a batch that the store can take: names checked, texts made lines, lengths bounded."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from typing import Final

from kernel.errors import define
from logsink.lines import SOURCES, STREAMS, Batch, Line, Query

LOG_BATCH_INVALID = define("LOG_BATCH_INVALID", source="client", status=400)
LOG_BATCH_TOO_LARGE = define(
    "LOG_BATCH_TOO_LARGE", source="client", status=413, hint="send it as several batches, each with its own sequence"
)
LOG_QUERY_INVALID = define("LOG_QUERY_INVALID", source="client", status=400)

LINE_BYTES: Final = 64 << 10  # of UTF-8; what is longer is cut and says so
BATCH_LINES: Final = 5_000
BATCH_BYTES: Final = 4 << 20  # below gRPC's limit for a message, so that the answer is ours
TAIL_LINES: Final = 100_000
NAME: Final = re.compile(r"[\x21-\x7e]{1,256}")


def batch(producer: str, sequence: int, lines: Iterable[Line]) -> Batch:
    """Checks a batch and makes its lines fit.

    A text with newlines becomes several lines, a line above LINE_BYTES is cut and marked, a time of 0 is now.

    Raises:
        ShipoffError: LOG_BATCH_INVALID, LOG_BATCH_TOO_LARGE.
    """
    if not NAME.fullmatch(producer):
        raise LOG_BATCH_INVALID("producer must be 1 to 256 printable ASCII characters without spaces")
    if not 0 <= sequence < 2**63:
        raise LOG_BATCH_INVALID(f"sequence must not be negative, it is {sequence}")
    kept: list[Line] = []
    size = 0
    for line in _fitting(lines):
        kept.append(line)
        size += len(line.text)  # characters first: the exact count would encode every text once more
        if len(kept) > BATCH_LINES:
            raise LOG_BATCH_TOO_LARGE(f"a batch has at most {BATCH_LINES} lines")
        if size > BATCH_BYTES:
            raise LOG_BATCH_TOO_LARGE(f"a batch has at most {BATCH_BYTES} bytes of text")
    return Batch(producer, sequence, kept, size)


def query(wanted: Query) -> Query:
    """Checks a query.

    Raises:
        ShipoffError: LOG_QUERY_INVALID.
    """
    if not NAME.fullmatch(wanted.project_id):
        raise LOG_QUERY_INVALID("project_id must be given")
    if wanted.source and wanted.source not in SOURCES:
        raise LOG_QUERY_INVALID(f"source must be one of {', '.join(sorted(SOURCES))}, or empty for all")
    if not 0 <= wanted.tail <= TAIL_LINES:
        raise LOG_QUERY_INVALID(f"tail must be between 0 and {TAIL_LINES}")
    if wanted.after_offset < 0:
        raise LOG_QUERY_INVALID("after_offset must not be negative")
    if wanted.deployment_id and not NAME.fullmatch(wanted.deployment_id):
        raise LOG_QUERY_INVALID("deployment_id is not an id")
    return wanted


def _fitting(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        _check(line)
        at_ns = line.at_ns if line.at_ns > 0 else time.time_ns()
        texts = line.text.removesuffix("\n").split("\n") if "\n" in line.text else (line.text,)
        for text in texts:
            yield line._replace(at_ns=at_ns, text=_cut(text.removesuffix("\r")), offset=0)


def _check(line: Line) -> None:
    if not NAME.fullmatch(line.project_id):
        raise LOG_BATCH_INVALID(f"project_id {line.project_id[:80]!r} is not an id")
    for name, value in (("deployment_id", line.deployment_id), ("instance_id", line.instance_id)):
        if value and not NAME.fullmatch(value):
            raise LOG_BATCH_INVALID(f"{name} {value[:80]!r} is not an id")
    if line.source not in SOURCES:
        raise LOG_BATCH_INVALID(f"source {line.source[:80]!r} is not one of {', '.join(sorted(SOURCES))}")
    if line.stream not in STREAMS:
        raise LOG_BATCH_INVALID(f"stream {line.stream[:80]!r} is not one of {', '.join(sorted(STREAMS))}")


def _cut(text: str) -> str:
    """The text when it fits, else its head and how much was cut."""
    if len(text) * 4 <= LINE_BYTES:
        return text
    raw = text.encode()
    if len(raw) <= LINE_BYTES:
        return text
    head = raw[:LINE_BYTES].decode(errors="ignore")  # a character that the cut splits goes as a whole
    return f"{head} … [{len(raw) - len(head.encode())} bytes cut]"
