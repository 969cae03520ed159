"""Where the last N lines begin: blocks are walked by falling last offset until no further one can matter."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kernel.database import Database
from kernel.database.pool import Row, Transaction
from logsink.lines import Query
from logsink.store import block
from logsink.store.block import SPAN

STEP: Final = 64  # blocks a query


async def tail_start(db: Database, sql: Mapping[str, str], query: Query, until: int) -> int:
    """The offset behind which the last `query.tail` wanted lines up to `until` begin.

    Keeps only offsets, `query.tail` at most; bodies are unpacked only of blocks that have gaps.
    """
    highest: list[int] = []  # a min-heap of the highest offsets seen
    bound = until + SPAN + 1  # no block that begins at or before `until` reaches so far
    async with (
        db.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        while True:
            args = (query.project_id, query.deployment_id, query.source, query.after_offset, until, bound, STEP)
            rows = await connection.fetch(sql["backwards"], *args)
            for offsets in await _offsets(connection, sql, query.project_id, rows):
                _keep(highest, query.tail, (one for one in offsets if query.after_offset < one <= until))
            done = len(rows) < STEP or (len(highest) == query.tail and rows[-1]["last_offset"] < highest[0])
            if done:
                break
            bound = rows[-1]["last_offset"]
    return highest[0] - 1 if len(highest) == query.tail else query.after_offset


async def _offsets(
    connection: Transaction, sql: Mapping[str, str], project_id: str, rows: Sequence[Row]
) -> list[Sequence[int]]:
    """The offsets of each block."""
    whole = [row for row in rows if row["last_offset"] - row["first_offset"] == row["lines"] - 1]
    gaps = [row["first_offset"] for row in rows if row["last_offset"] - row["first_offset"] != row["lines"] - 1]
    found: list[Sequence[int]] = [range(row["first_offset"], row["last_offset"] + 1) for row in whole]
    if gaps:
        bodies = await connection.fetch(sql["bodies"], project_id, gaps)
        found += [block.offsets(row["first_offset"], row["body"]) for row in bodies]
    return found


def _keep(heap: list[int], size: int, offsets: Iterable[int]) -> None:
    for one in offsets:
        if len(heap) < size:
            heapq.heappush(heap, one)
        elif one > heap[0]:
            heapq.heapreplace(heap, one)
