"""The table on disk: it is the table at one version, or it is not there; nothing damaged is served."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from router.core.records import Route
from router.core.table import Table
from router.edge.context import Edge
from router.loading import adopt
from router.settings import RouterSettings
from router.snapshot import Snapshot
from tests.integration.router.wire import LIMIT_S, endpoints, route


def filled(count: int, version: int = 1) -> Edge:
    edge = Edge(RouterSettings())
    edge.table = Table("epo_1", version)
    for n in range(count):
        edge.table.put(route(f"h{n}.test", f"rel_{n}"))
        edge.table.put(endpoints(f"rel_{n}", "tcp:127.0.0.1:1"))
    return edge


def content(table: Table) -> tuple[int, list[Any], list[Any]]:
    routes = sorted((r.record() for r in table.routes()), key=str)
    return table.version, routes, sorted((table.record(release) for release in table.releases), key=str)


async def written(edge: Edge, path: Path) -> Table:
    snapshot = Snapshot(edge, path, writes=True)
    snapshot.changed()
    await snapshot.stop()
    loaded = await Snapshot(Edge(RouterSettings()), path, writes=False).load()
    assert loaded is not None
    return loaded


async def test_what_is_written_is_read(tmp_path: Path) -> None:
    edge = filled(500, version=12)
    edge.table.put(route("*.wild.test", path="/api", weights=[["a", 1], ["b", 3]], rules={"max_body": 3}))
    loaded = await written(edge, tmp_path / "table.jsonl")
    assert content(loaded) == content(edge.table)
    assert loaded.epoch == "epo_1"
    assert [found.name for found in tmp_path.iterdir()] == ["table.jsonl"]


def change(table: Table, count: int) -> None:
    n = table.version = table.version + 1
    table.put(route(f"h{n % (count + 500)}.test", f"new_{n}"))
    table.delete_route(f"h{n * 7 % count}.test", "/")
    _ = table.delete_release(f"rel_{n * 3 % count}")


async def test_a_table_that_changes_meanwhile_is_written_as_of_one_version(tmp_path: Path) -> None:
    count = 3000
    edge, path, changes = filled(count), tmp_path / "table.jsonl", 0
    snapshot = Snapshot(edge, path, writes=True)
    snapshot.start()
    snapshot.changed()
    async with asyncio.timeout(LIMIT_S):
        while not path.exists():
            change(edge.table, count)
            changes += edge.table.touched is not None
            await asyncio.sleep(0)
    await snapshot.stop()
    loaded = await Snapshot(edge, path, writes=False).load()
    assert loaded is not None
    assert changes > 10
    replayed = filled(count).table
    while replayed.version < loaded.version:
        change(replayed, count)
    assert content(loaded) == content(replayed)


async def test_a_table_that_is_replaced_meanwhile_is_written_next_time(tmp_path: Path) -> None:
    edge, path = filled(3000), tmp_path / "table.jsonl"
    snapshot = Snapshot(edge, path, writes=True)
    snapshot.start()
    snapshot.changed()
    async with asyncio.timeout(LIMIT_S):
        while edge.table.touched is None:
            await asyncio.sleep(0)
        await adopt(edge, filled(10, version=99).table)
        while not path.exists():
            await asyncio.sleep(0.01)
    await snapshot.stop()
    loaded = await Snapshot(edge, path, writes=False).load()
    assert loaded is not None
    assert content(loaded) == content(edge.table)


def _without_a_line(raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    return b"".join([*lines[:2], *lines[3:]])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda raw: raw[:-40],
    "cut at a line": lambda raw: raw[: raw.rindex(b"\n", 0, -1) + 1],
    "changed": lambda raw: raw.replace(b"h1.test", b"h9.test"),
    "a line lost": _without_a_line,
    "empty": lambda _: b"",
    "zeroed": lambda raw: bytes(len(raw)),
    "older": lambda raw: raw.replace(b'{"format":2,', b"{"),
    "newer": lambda raw: raw.replace(b'{"format":2,', b'{"format":3,'),
    "a list": lambda _: b"[]\n[]\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_not_served_and_said_so(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "table.jsonl"
    _ = await written(filled(3), path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert await Snapshot(filled(0), path, writes=False).load() is None
    assert f"table in {path} is not used" in caplog.text


async def test_a_full_disk_keeps_the_old_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    edge, path = filled(3), tmp_path / "table.jsonl"
    _ = await written(edge, path)
    before = path.read_bytes()
    aside = tmp_path / f"table.{os.getpid()}"
    aside.symlink_to("/dev/full")
    edge.table.put(route("more.test"))
    snapshot = Snapshot(edge, path, writes=True)
    snapshot.start()
    snapshot.changed()
    async with asyncio.timeout(LIMIT_S):
        while os.strerror(errno.ENOSPC) not in caplog.text:
            await asyncio.sleep(0.01)
    assert path.read_bytes() == before
    await snapshot.stop()  # there is room again
    assert not aside.exists()
    assert b"more.test" in path.read_bytes()


async def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "table.4194305").write_bytes(b"half")  # above the largest process id that Linux gives
    snapshot = Snapshot(filled(0), tmp_path / "table.jsonl", writes=True)
    snapshot.start()
    await snapshot.stop()
    assert not list(tmp_path.iterdir())


async def test_lines_are_records_that_people_can_read(tmp_path: Path) -> None:
    edge = filled(0)
    edge.table.put_route(Route(route("a.test")))
    _ = await written(edge, tmp_path / "table.jsonl")
    first, record, last = map(orjson.loads, (tmp_path / "table.jsonl").read_bytes().splitlines())
    assert (first, record["host"], set(last)) == ({"format": 2, "epoch": "epo_1"}, "a.test", {"version", "sha256"})
