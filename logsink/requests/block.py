"""A block: requests of one project as zstd-compressed JSON columns (logsink/store/block.py says why columns)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple

import orjson
import zstandard

from logsink.requests.record import Request, Served
from logsink.store.block import LEVEL

_PLAIN: Final = Request._fields[2:]


class Block(NamedTuple):
    """A row of the table `request_blocks`.

    Attributes:
        classes: a bit for each status class that it holds.
        raw_bytes: of the columns before compression.
    """

    project_id: str
    first_at_us: int
    last_at_us: int
    requests: int
    classes: int
    raw_bytes: int
    body: bytes


def encode(requests: Sequence[Request]) -> Block:
    """Makes a block of at least one request, all of one project."""
    ordered = sorted(requests, key=lambda one: one.at_us)
    tags: dict[Served, int] = {}
    columns: dict[str, Any] = {
        "at": [ordered[0].at_us, *(b.at_us - a.at_us for a, b in pairwise(ordered))],
        "by": [tags.setdefault(one.served, len(tags)) for one in ordered],
    }
    columns["served"] = [list(one[1:]) for one in tags]
    columns |= dict(zip(_PLAIN, zip(*(one[2:] for one in ordered), strict=True), strict=True))
    raw = orjson.dumps(columns)
    classes = 0
    for one in ordered:
        classes |= 1 << one.status_class
    return Block(
        project_id=ordered[0].served.project_id,
        first_at_us=ordered[0].at_us,
        last_at_us=ordered[-1].at_us,
        requests=len(ordered),
        classes=classes,
        raw_bytes=len(raw),
        body=zstandard.ZstdCompressor(level=LEVEL).compress(raw),
    )


def decode(project_id: str, body: bytes) -> list[Request]:
    """The requests of a block, oldest first."""
    columns: dict[str, Any] = orjson.loads(zstandard.ZstdDecompressor().decompress(body))
    served = [Served(project_id, *one) for one in columns["served"]]
    plain = [columns[name] for name in _PLAIN]
    return [
        Request(served[by], at_us, *rest)
        for by, at_us, *rest in zip(columns["by"], accumulate(columns["at"]), *plain, strict=True)
    ]
