"""Compaction and retention of requests; as logsink/store/upkeep.py does it for lines, without their offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kernel.database import Database
from kernel.database.pool import Row, Transaction
from logsink import metrics
from logsink.requests import block
from logsink.requests.store import SQL
from logsink.store.offload import off_loop
from logsink.store.plan import FAN, Meta, plan

PROJECTS_A_PASS: Final = 50
BLOCKS_A_PROJECT: Final = 512
MERGES_A_TRANSACTION: Final = 8
DELETES_A_STATEMENT: Final = 500


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What is kept; see LogsinkSettings."""

    age: timedelta
    project_bytes: int
    settle: timedelta


class RequestUpkeep:
    """The maintenance of one database's requests; safe beside writers, readers and itself in another process."""

    def __init__(self, db: Database, limits: RequestLimits) -> None:
        self._db, self._limits = db, limits

    async def compact(self) -> int:
        """One pass; returns how many blocks were merged away."""
        rows = await self._db.fetch(SQL["compactable"], self._limits.settle, FAN, PROJECTS_A_PASS)
        return sum([await self._compact_project(row["project_id"], settled=row["settled"]) for row in rows])

    async def _compact_project(self, project_id: str, *, settled: bool) -> int:
        async with self._db.transaction() as tx:
            if not await tx.fetchval(SQL["lock_project"], project_id):
                return 0
            rows = await tx.fetch(SQL["unsealed"], project_id, BLOCKS_A_PROJECT)
            # Offsets mean nothing here: neighbours in time are numbered as they stand.
            blocks = [Meta(place, place, row["raw_bytes"], row["level"]) for place, row in enumerate(rows)]
            planned = plan(blocks, settled=settled and len(rows) < BLOCKS_A_PROJECT)
            merged = 0
            for merge in planned.merges[:MERGES_A_TRANSACTION]:
                merged += await self._merge(tx, project_id, _positions(rows, merge.blocks), merge.level, merge.sealed)
            if planned.seal:
                await tx.execute(SQL["seal"], _positions(rows, planned.seal))
        metrics.COMPACTED.inc(merged)
        return merged

    @staticmethod
    async def _merge(tx: Transaction, project_id: str, positions: list[int], level: int, sealed: bool) -> int:
        """Replaces blocks by one; those that retention took meanwhile are simply not in it."""
        rows = await tx.fetch(SQL["take_bodies"], positions)
        if not rows:
            return 0
        bodies = [row["body"] for row in rows]
        made = await off_loop(sum(map(len, bodies)) * 8, _join, project_id, bodies)
        stored_at = max(row["stored_at"] for row in rows)
        await tx.execute(SQL["insert_merged"], *made, level, sealed, stored_at)
        return len(rows) - 1

    async def expire(self) -> int:
        """Deletes blocks that are too old, then the oldest of projects that have too much; returns how many."""
        limits, gone = self._limits, 0
        await self._db.execute(SQL["seal_old"])
        while count := await self._delete("expire_old", limits.age, DELETES_A_STATEMENT):
            metrics.EXPIRED.labels("age").inc(count)
            gone += count
        for row in await self._db.fetch(SQL["projects_above"], limits.project_bytes):
            excess = (row["project_id"], limits.project_bytes, DELETES_A_STATEMENT)
            while count := await self._delete("expire_excess", *excess):
                metrics.EXPIRED.labels("bytes").inc(count)
                gone += count
        return gone

    async def _delete(self, name: str, *args: object) -> int:
        return int((await self._db.execute(SQL[name], *args)).rpartition(" ")[2])


def _positions(rows: Sequence[Row], blocks: Sequence[Meta]) -> list[int]:
    return [rows[one.first_offset]["position"] for one in blocks]


def _join(project_id: str, bodies: Sequence[bytes]) -> block.Block:
    return block.encode([one for body in bodies for one in block.decode(project_id, body)])
