"""The table on disk: it is the table at one version, or it is not there; nothing damaged is served."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import router.snapshot
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
    "older": lambda raw: raw.replace(b'{"format":3,', b'{"format":2,'),
    "newer": lambda raw: raw.replace(b'{"format":3,', b'{"format":4,'),
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
    assert (first, record["host"], set(last)) == ({"format": 3, "epoch": "epo_1"}, "a.test", {"version", "sha256"})


# --- what is added to it ---------------------------------------------------------------------------------------------


def unwritten(edge: Edge, snapshot: Snapshot) -> None:
    """Changes the table by one version, in all ways that a table changes."""
    change(edge.table, 50)
    n = edge.table.version
    edge.table.put(route(f"*.w{n % 5}.test", path="/api"))
    edge.table.put(endpoints(f"rel_{n * 5 % 50}", f"tcp:127.0.0.1:{n % 9 + 1}"))
    snapshot.changed()


async def until_written(path: Path, version: int) -> Table:
    """The table in a file, as soon as it has a version."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            loaded = await Snapshot(filled(0), path, writes=False).load()
            if loaded is not None and loaded.version >= version:
                return loaded
            await asyncio.sleep(0.01)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes follow each other without a pause."""
    monkeypatch.setattr(router.snapshot, "_PAUSE_S", 0.0)
    monkeypatch.setattr(router.snapshot, "_SHARE", 1)


@pytest.fixture
async def kept(tmp_path: Path, hurried: None) -> AsyncIterator[tuple[Edge, Path, Snapshot]]:
    """A table of 50 hosts that is on disk, as a file that changes are added to."""
    edge, path = filled(50), tmp_path / "table.jsonl"
    snapshot = Snapshot(edge, path, writes=True)
    snapshot.start()
    snapshot.changed()
    _ = await until_written(path, 1)
    yield edge, path, snapshot
    await snapshot.stop()


async def test_changes_are_added_to_the_file(kept: tuple[Edge, Path, Snapshot]) -> None:
    edge, path, snapshot = kept
    whole, place = path.read_bytes(), path.stat().st_ino
    for _ in range(5):
        unwritten(edge, snapshot)
        loaded = await until_written(path, edge.table.version)
        assert content(loaded) == content(edge.table)
    assert path.stat().st_ino == place
    assert path.read_bytes().startswith(whole)


async def test_a_file_cut_anywhere_is_the_table_at_the_version_before(kept: tuple[Edge, Path, Snapshot]) -> None:
    edge, path, snapshot = kept
    ends, states = [path.stat().st_size], [content(edge.table)]
    for _ in range(3):
        unwritten(edge, snapshot)
        _ = await until_written(path, edge.table.version)
        ends.append(path.stat().st_size)
        states.append(content(edge.table))
    raw, cut = path.read_bytes(), path.with_name("cut")
    for length in range(ends[0], len(raw) + 1):
        cut.write_bytes(raw[:length])
        loaded = await Snapshot(edge, cut, writes=False).load()
        # Without its last byte, a line feed, a section is whole too.
        which = sum(length >= end - 1 for end in ends[1:])
        assert loaded is not None
        assert content(loaded) == states[which], length


async def test_damage_in_what_was_added_leaves_it_out_and_is_said(
    kept: tuple[Edge, Path, Snapshot], caplog: pytest.LogCaptureFixture
) -> None:
    edge, path, snapshot = kept
    whole, before = path.stat().st_size, content(edge.table)
    unwritten(edge, snapshot)
    _ = await until_written(path, 2)
    raw = bytearray(path.read_bytes())
    raw[whole + 30] ^= 1
    path.with_name("bent").write_bytes(raw)
    loaded = await Snapshot(edge, path.with_name("bent"), writes=False).load()
    assert loaded is not None
    assert content(loaded) == before
    assert "as of version 1: what follows is damaged" in caplog.text


async def test_a_file_that_has_doubled_is_written_whole_again(
    kept: tuple[Edge, Path, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    edge, path, snapshot = kept
    monkeypatch.setattr(router.snapshot, "_FEW", 0)
    whole, places = path.stat().st_size, {path.stat().st_ino}
    for _ in range(60):
        unwritten(edge, snapshot)
        assert content(await until_written(path, edge.table.version)) == content(edge.table)
        places.add(path.stat().st_ino)
        assert path.stat().st_size < 4 * whole
    assert len(places) > 1


@pytest.mark.parametrize("lost", [Path.unlink, lambda path: path.with_name("other").replace(path)])
async def test_a_file_that_is_no_longer_there_is_written_whole_again(
    kept: tuple[Edge, Path, Snapshot], lost: Callable[[Path], object]
) -> None:
    edge, path, snapshot = kept
    path.with_name("other").write_bytes(path.read_bytes())  # an older program's, at the end of its drain
    lost(path)
    unwritten(edge, snapshot)
    assert content(await until_written(path, edge.table.version)) == content(edge.table)


async def test_a_resync_between_two_writes_is_written_whole(kept: tuple[Edge, Path, Snapshot]) -> None:
    edge, path, snapshot = kept
    unwritten(edge, snapshot)
    _ = await until_written(path, 2)
    await adopt(edge, filled(10, version=99).table)
    snapshot.changed()
    assert content(await until_written(path, 99)) == content(edge.table)
    unwritten(edge, snapshot)
    assert content(await until_written(path, 100)) == content(edge.table)


async def test_a_burst_is_added_as_of_one_version(kept: tuple[Edge, Path, Snapshot]) -> None:
    edge, path, snapshot = kept
    before = path.stat()
    for n in range(5000):
        edge.table.version += 1
        edge.table.put(route(f"b{n}.test"))
    snapshot.changed()
    async with asyncio.timeout(LIMIT_S):
        while path.stat().st_size == before.st_size:
            await asyncio.sleep(0)
    for _ in range(20):
        unwritten(edge, snapshot)
        await asyncio.sleep(0)
    assert content(await until_written(path, edge.table.version)) == content(edge.table)
    assert path.stat().st_ino == before.st_ino
