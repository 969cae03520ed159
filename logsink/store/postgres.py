"""The store in Postgres: a group of batches is one transaction, a block one row.

Invariants that readers rely on: offsets of a project become visible in order (the row lock in `take_offsets` is held to
the commit), blocks of one key never overlap, and the lines of a project at and behind an offset are the same before and
after a compaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from kernel.database import Database, load_queries
from kernel.database.pool import Transaction
from logsink import metrics
from logsink.lines import Batch, Key, Line, Query, Stored
from logsink.store import block, tailing
from logsink.store.offload import off_loop
from logsink.store.store import Outcome

SQL: Final = load_queries("logsink.store")
PAGE_RAW_BYTES: Final = 2 << 20  # of columns that one page unpacks, unless more blocks than that overlap
PAGE_BLOCKS: Final = 256


class PostgresStore:
    """See `logsink.store.store.Store`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def append(self, batches: Sequence[Batch]) -> Outcome:
        """One transaction: remembers the batches, gives offsets, writes blocks."""
        async with self._db.transaction() as tx:
            fresh = await _remember(tx, batches)
            new = [batch for batch, is_fresh in zip(batches, fresh, strict=True) if is_fresh]
            stored = await _take_offsets(tx, [line for batch in new for line in batch.lines])
            size = sum(batch.size for batch in new)
            blocks = await off_loop(size, _encode, stored)
            if blocks:
                await tx.execute(SQL["insert_blocks"], *_columns(blocks))
        metrics.TEXT_BYTES.inc(size)
        metrics.BLOCK_BYTES.inc(sum(len(one.body) for one in blocks))
        for one in blocks:
            metrics.LINES.labels(one.key.source).inc(one.lines)
        return Outcome(fresh, stored)

    async def pages(self, query: Query, until: int) -> AsyncIterator[Sequence[Line]]:
        """Each page is read in its own snapshot, so a slow reader holds no connection between two."""
        after = query.after_offset
        while after < until:
            lines, after = await self._page(query, after, until)
            wanted = [line for line in lines if query.wants(line)]
            if wanted:
                yield wanted

    async def tail_start(self, query: Query, until: int) -> int:
        """Walks blocks backwards and keeps the highest offsets; see `logsink.store.tailing`."""
        return await tailing.tail_start(self._db, SQL, query, until)

    async def last_offset(self, project_id: str) -> int:
        """Of the row that every append of the project updates."""
        return await self._db.fetchval(SQL["last_offset"], project_id) or 0

    async def ping(self) -> None:
        """Asks the table that every append needs."""
        await self._db.fetchval(SQL["last_offset"], "")

    async def _page(self, query: Query, after: int, until: int) -> tuple[list[Line], int]:
        """The lines of (after, the second value], all of them: no block outside the page reaches into it."""
        async with (
            self._db.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            sql = SQL["page_of_deployment" if query.deployment_id else "page_of_project"]
            limit, cut, firsts = PAGE_BLOCKS, None, list[tuple[int, int]]()
            while cut is None:
                rows = await connection.fetch(
                    sql, query.project_id, query.deployment_id, query.source, after, until, limit + 1
                )
                firsts = [(row["first_offset"], row["raw_bytes"]) for row in rows]
                cut, limit = _cut(firsts, after, until, limit), limit * 4
            count, upto = cut
            bodies = await connection.fetch(SQL["bodies"], query.project_id, [first for first, _ in firsts[:count]])
        parts = [
            (Key(query.project_id, row["deployment_id"], row["source"]), row["first_offset"], row["body"])
            for row in bodies
        ]
        return await off_loop(sum(raw for _, raw in firsts[:count]), _merge, parts, after, upto), upto


def _cut(firsts: Sequence[tuple[int, int]], after: int, until: int, limit: int) -> tuple[int, int] | None:
    """How many of the blocks a page takes, and up to which offset it is then whole.

    Blocks may interleave, so a page ends before the first line of the first block that it leaves out, and has at least
    the blocks that get it behind `after`. How many those are is bounded by the deployments that wrote within SPAN.

    Args:
        firsts: first offset and raw bytes of blocks, by first offset; limit + 1 of them when there are more.

    Returns:
        None when every block given overlaps `after` and there are more.
    """
    raw = 0
    for index, (first, size) in enumerate(firsts):
        full = index >= PAGE_BLOCKS or (index > 0 and raw + size > PAGE_RAW_BYTES)
        if full and first - 1 > after:
            return index, min(first - 1, until)
        raw += size
    return None if len(firsts) > limit else (len(firsts), until)


def _merge(parts: Iterable[tuple[Key, int, bytes]], after: int, upto: int) -> list[Line]:
    lines = [
        line
        for key, first_offset, body in parts
        for line in block.decode(key, first_offset, body)
        if after < line.offset <= upto
    ]
    lines.sort(key=lambda line: line.offset)  # runs of sorted lines: timsort merges them
    return lines


async def _remember(tx: Transaction, batches: Sequence[Batch]) -> list[bool]:
    """For each batch whether it is new; a repetition within the group is not."""
    rows = await tx.fetch(
        SQL["remember_batches"], [batch.producer for batch in batches], [batch.sequence for batch in batches]
    )
    new = Counter((row["producer"], row["sequence"]) for row in rows)
    fresh = []
    for batch in batches:
        identity = (batch.producer, batch.sequence)
        fresh.append(new[identity] > 0)
        new[identity] -= 1
    return fresh


async def _take_offsets(tx: Transaction, lines: Sequence[Line]) -> list[Stored]:
    """Numbers the lines of each project in their order."""
    projects: dict[str, list[Line]] = {}
    for line in lines:
        projects.setdefault(line.project_id, []).append(line)
    if not projects:
        return []
    rows = await tx.fetch(SQL["take_offsets"], list(projects), [len(own) for own in projects.values()])
    last = {row["project_id"]: row["last_offset"] for row in rows}
    stored = []
    for project_id, own in projects.items():
        before = last[project_id] - len(own)
        numbered = [Line(*line[:-1], offset) for offset, line in enumerate(own, before + 1)]
        stored.append(Stored(project_id, before, numbered))
    return stored


def _encode(stored: Sequence[Stored]) -> list[block.Block]:
    blocks = []
    for one in stored:
        groups: dict[tuple[str, str], list[Line]] = {}
        for line in one.lines:
            groups.setdefault((line.deployment_id, line.source), []).append(line)
        blocks += [block.encode(lines) for lines in groups.values()]
    return blocks


def _columns(blocks: Sequence[block.Block]) -> list[list[object]]:
    rows = [(*one.key, *one[1:]) for one in blocks]
    return [list(column) for column in zip(*rows, strict=True)]
