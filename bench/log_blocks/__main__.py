"""Writes the same log lines as blocks and as rows, in turns, and measures speed, size and what a live view waits.

`python -m bench.log_blocks [--quick] [--json FILE]`. Starts a Postgres of its own with its default durability.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from kernel.database import Database, migrate
from logsink.lines import Batch, Line, Query
from logsink.query.reader import Reader
from logsink.receive.intake import Intake
from logsink.store.postgres import PostgresStore
from logsink.tail.hub import Hub
from stack.servers.postgres import Postgres
from stack.unit import launch

ROWS = """
create extension if not exists pg_trgm;
create table line_rows (
    project_id text, deployment_id text, instance_id text, source text, stream text, at_ns bigint,
    line_offset bigserial, text text
);
create index on line_rows (project_id, line_offset);
create index on line_rows using gin (text gin_trgm_ops);
"""
WORDS = ("GET", "POST", "/api/orders", "/health", "200", "404", "timeout", "retry", "user", "session", "cache", "miss")


def batches(count: int, lines: int, seed: int) -> list[Batch]:
    """Access-log-like lines of about a hundred characters."""
    choose = random.Random(seed)
    made = []
    for sequence in range(count):
        texts = [
            f"{choose.choice(WORDS)} {choose.choice(WORDS)}/{choose.randrange(10**6)} {choose.random() * 100:.3f} ms "
            + " ".join(choose.choices(WORDS, k=8))
            for _ in range(lines)
        ]
        now = time.time_ns()
        own = [Line(now + n * 1000, "prj_a", "dep_1", "ins_1", "run", "stdout", text) for n, text in enumerate(texts)]
        made.append(Batch(f"bench{seed}", sequence, own, sum(map(len, texts))))
    return made


async def as_blocks(db: Database, work: Sequence[Batch]) -> float:
    """Eight senders through the intake; returns lines a second."""
    intake = Intake(PostgresStore(db), lambda _: None)
    intake.start()
    rate = await _eight(work, intake.append)
    await intake.stop()
    return rate


async def as_rows(db: Database, work: Sequence[Batch]) -> float:
    """Eight senders, each batch one COPY and one commit; returns lines a second."""

    async def copy(batch: Batch) -> None:
        records = [(*line[1:2], *line[2:6], line.at_ns, line.text) for line in batch.lines]
        async with db.transaction() as tx:
            await tx.copy_records_to_table(
                "line_rows",
                records=records,
                columns=["project_id", "deployment_id", "instance_id", "source", "stream", "at_ns", "text"],
            )

    return await _eight(work, copy)


async def _eight(work: Sequence[Batch], send: Callable[[Batch], Any]) -> float:
    waiting = iter(work)

    async def sender() -> None:
        for batch in waiting:
            await send(batch)

    began = time.perf_counter()
    await asyncio.gather(*[sender() for _ in range(8)])
    return sum(len(batch.lines) for batch in work) / (time.perf_counter() - began)


async def live_ms(db: Database, count: int) -> list[float]:
    """From the call of Append to the line in a follower's hands, one line at a time."""
    store, hub = PostgresStore(db), Hub(1 << 20)
    intake = Intake(store, hub.publish)
    intake.start()
    took = []
    start = await store.last_offset("prj_a")
    pages = Reader(store, hub).read(Query("prj_a", after_offset=start), follow=True)
    for batch in batches(count, 1, seed=time.time_ns()):
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(intake.append(batch))
            await anext(pages)
            took.append((time.perf_counter() - began) * 1000)
    await pages.aclose()
    await intake.stop()
    return took


async def measure(db: Database, rounds: int, lines: int) -> list[dict[str, Any]]:
    """The figures."""
    rates: dict[str, list[float]] = {"blocks": [], "rows": []}
    for turn in range(rounds):
        work = batches(lines // 500, 500, seed=turn)
        rates["blocks"].append(await as_blocks(db, work))
        rates["rows"].append(await as_rows(db, work))
    total = rounds * (lines // 500) * 500
    block_size = await db.fetchval("select pg_total_relation_size('blocks')") / total
    row_size = await db.fetchval("select pg_total_relation_size('line_rows')") / total
    live = await live_ms(db, 100 * rounds)
    faster = [one / other for one, other in zip(rates["blocks"], rates["rows"], strict=True)]
    return [
        _figure("lines stored as blocks", rates["blocks"], "lines/s", baseline=statistics.median(rates["rows"])),
        _figure("blocks faster than rows", faster, "times", goal=20.0),
        _figure("bytes a line as block", [block_size], "bytes", baseline=row_size),
        _figure("blocks smaller than rows", [row_size / block_size], "times", goal=8.0),
        _figure("append to live view, median", live, "ms", goal=10.0, most=True),
    ]


def _figure(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    goal: float | None = None,
    most: bool = False,
    baseline: float | None = None,
) -> dict[str, Any]:
    value = statistics.median(values)
    met = None if goal is None else (value <= goal if most else value >= goal)
    spread = max(values) - min(values) if len(values) > 1 else 0.0
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "spread": spread,
        "goal": goal,
        "met": met,
        "baseline": baseline,
    }


@asynccontextmanager
async def own_postgres() -> AsyncIterator[str]:
    """A server for this run; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as folder:
        postgres = Postgres(Path(folder) / "pg", Path(folder) / "run", secrets.token_hex(16))
        process = await launch(postgres)
        try:
            yield postgres.url()
        finally:
            await process.stop(postgres.stop_signal, postgres.stop_within_s)


async def main() -> None:
    """Measures, prints, and writes the JSON."""
    parser = argparse.ArgumentParser(prog="bench.log_blocks")
    parser.add_argument("--quick", action="store_true", help="ends within a minute")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    async with own_postgres() as url:
        migrate(url, "logsink")
        db = await Database.connect(url, max_size=10)
        await db.execute(ROWS)
        figures = await measure(db, *((3, 20_000) if options.quick else (7, 100_000)))
        await db.close()
    for one in figures:
        verdict = "" if one["met"] is None else f"  goal {one['goal']:g}: {'met' if one['met'] else 'NOT MET'}"
        baseline = "" if one["baseline"] is None else f"  (rows: {one['baseline']:,.1f})"
        print(f"{one['name']:32} {one['value']:>12,.1f} {one['unit']:8} ± {one['spread'] / 2:,.1f}{baseline}{verdict}")
    machine = {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()}
    if options.json:
        options.json.write_bytes(orjson.dumps({"machine": machine, "figures": figures}, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    asyncio.run(main())
