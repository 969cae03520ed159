"""What keeps the store small and quick to read: compaction, retention, and forgetting old batch numbers.

Each step is a short transaction over a bounded number of blocks, so it can run beside writers and readers, in several
processes, and be killed at any point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kernel.database import Database
from kernel.database.pool import Row, Transaction
from logsink import metrics
from logsink.lines import Key
from logsink.store import block
from logsink.store.offload import off_loop
from logsink.store.plan import FAN, Merge, Meta, plan
from logsink.store.postgres import SQL

KEYS_A_PASS: Final = 50
BLOCKS_A_KEY: Final = 512
MERGES_A_TRANSACTION: Final = 8
DELETES_A_STATEMENT: Final = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept, and when a deployment counts as quiet; see LogsinkSettings."""

    age: timedelta
    project_bytes: int
    dedupe: timedelta
    settle: timedelta


class Upkeep:
    """The maintenance of one database.

    Args:
        sql: the statements, so that a test can slow one down.
    """

    def __init__(self, db: Database, limits: Limits, sql: Mapping[str, str] = SQL) -> None:
        self._db, self._limits, self._sql = db, limits, sql

    async def compact(self) -> int:
        """One pass; returns how many blocks were merged away."""
        rows = await self._db.fetch(self._sql["compactable"], self._limits.settle, FAN, KEYS_A_PASS)
        return sum([await self._compact_key(Key(*row[:3]), settled=row["settled"]) for row in rows])

    async def _compact_key(self, key: Key, *, settled: bool) -> int:
        async with self._db.transaction() as tx:
            if not await tx.fetchval(self._sql["lock_key"], "/".join(key)):
                return 0
            rows = await tx.fetch(self._sql["unsealed"], *key, BLOCKS_A_KEY)
            planned = plan([Meta(*row) for row in rows], settled=settled and len(rows) < BLOCKS_A_KEY)
            merged = 0
            for merge in planned.merges[:MERGES_A_TRANSACTION]:
                merged += await self._merge(tx, key, merge)
            if planned.seal:
                await tx.execute(self._sql["seal"], key.project_id, [one.first_offset for one in planned.seal])
        metrics.COMPACTED.inc(merged)
        return merged

    async def _merge(self, tx: Transaction, key: Key, merge: Merge) -> int:
        """Replaces the blocks by one; those that retention took meanwhile are simply not in it."""
        rows = await tx.fetch(self._sql["take_bodies"], key.project_id, [one.first_offset for one in merge.blocks])
        if not rows:
            return 0
        made = await off_loop(sum(one.raw_bytes for one in merge.blocks), _join, key, rows)
        stored_at = max(row["stored_at"] for row in rows)
        await tx.execute(self._sql["insert_merged"], *key, *made[1:], merge.level, merge.sealed, stored_at)
        return len(rows) - 1

    async def expire(self) -> int:
        """Deletes blocks that are too old, then the oldest of projects that have too much; returns how many."""
        limits, gone = self._limits, 0
        while count := await self._delete("expire_old", limits.age, DELETES_A_STATEMENT):
            metrics.EXPIRED.labels("age").inc(count)
            gone += count
        for row in await self._db.fetch(self._sql["projects_above"], limits.project_bytes):
            while count := await self._delete(
                "expire_excess", row["project_id"], limits.project_bytes, DELETES_A_STATEMENT
            ):
                metrics.EXPIRED.labels("bytes").inc(count)
                gone += count
        return gone

    async def forget(self) -> int:
        """Drops the numbers of batches that no sender repeats any more; returns how many. Also seals old blocks."""
        gone = 0
        await self._db.execute(self._sql["seal_old"])
        while count := await self._delete("forget_batches", self._limits.dedupe, DELETES_A_STATEMENT):
            gone += count
        return gone

    async def _delete(self, name: str, *args: object) -> int:
        return int((await self._db.execute(self._sql[name], *args)).rpartition(" ")[2])


def _join(key: Key, rows: list[Row]) -> block.Block:
    lines = [line for row in rows for line in block.decode(key, row["first_offset"], row["body"])]
    lines.sort(key=lambda line: line.offset)
    return block.encode(lines)
