"""Measures what a table of many hosts costs, and prints it beside the goals.

`python -m bench.route_table [--quick] [--hosts N] [--json FILE]`
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from bench.report import Figure, publish
from bench.route_table import live, records
from bench.route_table.watch import Watch

SMALL = 10_000
LOAD_S, MEMORY_MB, EFFECT_MS, STEP_MS = 6.0, 350.0, 5.0, 5.0
# The goals are set for this many hosts; a run with fewer has them for events only.
GOAL_HOSTS = 1_000_000
MEASURE = "bench.route_table.lookups"


async def lookups(file: Path, hosts: int, kind: str) -> dict[str, float]:
    """One table in a process of its own."""
    arguments = (sys.executable, "-m", MEASURE, str(file), str(hosts), kind)
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    found: dict[str, float] = orjson.loads(output)
    return found


def write(folder: Path, hosts: int) -> Path:
    """The table as a file for `--table`."""
    file = folder / f"table-{hosts}.jsonl"
    with file.open("wb") as out:
        out.writelines(records.lines(hosts))
        out.write(orjson.dumps(records.probe(0, hosts + 1)) + b"\n")
    return file


async def in_process(folder: Path, hosts: int, rounds: int) -> list[Figure]:
    """Loading and lookups: the router's table and a plain dict, large and small, in turns."""
    files = {count: write(folder, count) for count in (SMALL, hosts)}
    found: dict[tuple[int, str], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for count, file in files.items():
            for kind in ("table", "dict"):
                found.setdefault((count, kind), []).append(await lookups(file, count, kind))

    def samples(count: int, kind: str, name: str) -> list[float]:
        return [one[name] for one in found[count, kind]]

    def median(count: int, kind: str, name: str) -> float:
        return statistics.median(samples(count, kind, name))

    figures = [
        Figure.of(
            "load from lines, CPU; baseline dict",
            samples(hosts, "table", "load_s"),
            "s",
            at_most=_of(LOAD_S, hosts),
            baseline=median(hosts, "dict", "load_s"),
        ),
        Figure.of(
            "memory of the table; baseline dict",
            samples(hosts, "table", "memory_mb"),
            "MB",
            baseline=median(hosts, "dict", "memory_mb"),
        ),
    ]
    for name in ("busy hosts", "any host"):
        large = samples(hosts, "table", name)
        figures += [
            Figure.of(f"lookup, {name}; baseline dict", large, "ns", baseline=median(hosts, "dict", name)),
            Figure.of(f"lookup, {name}; baseline {SMALL} hosts", large, "ns", baseline=median(SMALL, "table", name)),
        ]
    for name in ("miss", "wildcard", "path prefix"):
        large, small = samples(hosts, "table", name), median(SMALL, "table", name)
        figures.append(Figure.of(f"lookup, {name}; baseline {SMALL} hosts", large, "ns", baseline=small))
    return figures


async def running(folder: Path, hosts: int, events: int, changes: int) -> list[Figure]:
    """A router with its Redis, and without."""
    figures = []
    async with live.own_valkey(folder) as valkey:
        publisher = live.Publisher(valkey.url)
        for count in (SMALL, hosts):
            await publisher.fill(count)
            router = live.Router(folder / f"state-{count}", redis_url=valkey.url)
            figures += await one_router(router, publisher, count, events, changes)
            figures += await longest_steps(publisher, valkey.url, count, changes)
        await publisher.redis.aclose()
    gone = {"redis_url": f"unix://{folder}/none", "state_dir": folder / f"state-{hosts}"}
    for name, settings in (
        ("the last-known-good file", gone),
        ("--table FILE", {"table": folder / f"table-{hosts}.jsonl"}),
    ):
        router = live.Router(folder, **settings)
        figures.append(_figure(f"{hosts} hosts: start from {name}", await router.start(), "s", _of(LOAD_S, hosts)))
        await router.stop()
    return figures


async def one_router(
    router: live.Router, publisher: live.Publisher, count: int, events: int, changes: int
) -> list[Figure]:
    """Start and events, then a resync and a burst of changes, with requests beside them."""
    started = await router.start()
    figures = [
        _figure(f"{count} hosts: start from Redis to the first answer", started, "s", _of(LOAD_S, count)),
        _figure(f"{count} hosts: PSS of the worker", router.memory_mb()[0], "MB", _of(MEMORY_MB, count)),
    ]
    idle = await live.event_to_effect_ms(publisher, router.port, events)
    figures += _latency(f"{count} hosts: event to effect, idle", idle, EFFECT_MS)
    requests = await Watch.begin("requests", str(router.port))
    busy, _ = await requests.during(live.event_to_effect_ms(publisher, router.port, events))
    figures += _latency(f"{count} hosts: event to effect, 500 requests/s", busy, EFFECT_MS)
    for name, work in (
        ("a resync", live.resync(publisher, router.port)),
        (f"{changes} changes at once", live.burst(publisher, router.port, changes, count)),
    ):
        began = time.monotonic()
        _, waits = await requests.during(work)
        figures.append(_figure(f"{count} hosts: {name}", time.monotonic() - began, "s"))
        figures += _latency(f"{count} hosts: a request during {name}", waits, None)
    now, peak = router.memory_mb()
    figures.append(_figure(f"{count} hosts: PSS of the worker after these", now, "MB"))
    figures.append(_figure(f"{count} hosts: peak of the worker, two tables (RSS)", peak, "MB"))
    await requests.end()
    await _until_written(router.folder / "table.jsonl", publisher.version)
    await router.stop()
    return figures


async def longest_steps(publisher: live.Publisher, url: str, count: int, changes: int) -> list[Figure]:
    """How long the table keeps the loop from its other work, in processor time, however busy the machine is."""
    figures, steps = [], await Watch.begin("steps", url)
    for name, work in (
        ("a resync", live.resync_of_others(publisher)),
        (f"{changes} changes at once", live.burst_for_others(publisher, changes, count)),
    ):
        _, took = await steps.during(work)
        figures.append(_figure(f"{count} hosts: longest step of the loop, {name}", max(took), "ms", STEP_MS))
        figures.append(_figure(f"{count} hosts: step of the loop, {name}, p99.9", _at(took, 0.999), "ms"))
    await steps.end()
    return figures


def _of(goal: float, count: int) -> float | None:
    return goal if count == GOAL_HOSTS else None


def _figure(name: str, value: float, unit: str, at_most: float | None = None) -> Figure:
    return Figure.of(name, [value], unit, at_most=at_most)


def _latency(name: str, took: Sequence[float], p99_at_most: float | None) -> list[Figure]:
    figures = [Figure.of(f"{name}, median", took, "ms"), _figure(f"{name}, p99", _at(took, 0.99), "ms", p99_at_most)]
    return figures if p99_at_most is not None else [*figures, _figure(f"{name}, longest", max(took), "ms")]


def _at(took: Sequence[float], share: float) -> float:
    return sorted(took)[int(len(took) * share)]


async def _until_written(file: Path, version: int) -> None:
    for _ in range(int(live.LIMIT_S)):
        if _is_written(file, version):
            return
        await asyncio.sleep(1)
    raise TimeoutError("the table is not written to disk")


def _is_written(file: Path, version: int) -> bool:
    return file.exists() and file.read_bytes()[-200:].endswith(b'"version":%d}\n' % version)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.route_table")
    parser.add_argument("--quick", action="store_true", help="100,000 hosts; ends within a minute")
    parser.add_argument("--hosts", type=int, help="instead of 1,000,000")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    hosts = options.hosts or (100_000 if options.quick else GOAL_HOSTS)
    with tempfile.TemporaryDirectory(prefix="shipoff-bench-") as name:
        folder = Path(name)
        figures = await in_process(folder, hosts, 1 if options.quick else 3)
        figures += await running(folder, hosts, 200 if options.quick else 1000, 10_000 if options.quick else 100_000)
    publish(figures, options.json)


if __name__ == "__main__":
    asyncio.run(main())
