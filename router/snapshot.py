"""The last-known-good table on disk: what a worker serves when it starts while Redis gives none.

Lines of JSON: a head with the form's number, the records, a last line with the version and a SHA-256 of all before it.
The file is written aside and renamed, so it is whole or absent; whatever fails leaves the old one. The table goes on
changing while it is written: what has changed is written again at the end, so the file is the table at one version.
Nothing is copied for it but the part of the table that is being written.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final

import orjson

from kernel.errors import ShipoffError
from kernel.tasks import spawn, stop
from router.core.hosts import PARTS
from router.core.table import Table
from router.core.touched import Key, Touched
from router.edge.context import Edge
from router.loading import Pace, uncollected

log = logging.getLogger(__name__)
FORM: Final = 2
_PAUSE_S: Final = 1.0
_SHARE: Final = 10  # of the time, at most one part in so many is spent on writing: a minute between files of 6 s
_LAST_S: Final = 5.0
_ROUNDS: Final = 20  # at most, over what has changed meanwhile, each shorter than the one before
_LAST_STEP: Final = 500  # changes; so few are written in one step, which makes the file the table at one version
_READ_BYTES: Final = 262_144


class _Replaced(Exception):
    """A resync swapped the table while it was written."""


class Snapshot:
    """The file of one router; one of its workers writes it."""

    def __init__(self, edge: Edge, path: Path, writes: bool) -> None:
        self._edge = edge
        self._path = path
        self._writes = writes
        self._dirty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to write changes, at most one file a second."""
        if self._writes:
            self._sweep()
            self._task = spawn(self._run(), "router.snapshot")

    async def stop(self) -> None:
        """Stops, after writing what is not written yet, unless that takes longer than _LAST_S."""
        await stop(self._task)
        if self._writes and self._dirty.is_set():
            try:
                async with asyncio.timeout(_LAST_S):
                    await self._write()
            except (OSError, TimeoutError, _Replaced) as error:
                log.warning("the last-known-good table stays as it was: %r", error)

    def changed(self) -> None:
        """The table has changed."""
        self._dirty.set()

    async def load(self) -> Table | None:
        """The table in the file, or None when there is none that is whole."""
        try:
            with self._path.open("rb") as file, uncollected():
                return await _read(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ShipoffError) as error:
            log.error("the last-known-good table in %s is not used: %s", self._path, error)
            return None

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            started = time.monotonic()
            try:
                await self._write()
            except OSError as error:
                log.error("the last-known-good table cannot be written, the old one stays: %s", error)
                self._dirty.set()
            except _Replaced:
                self._dirty.set()
            await asyncio.sleep(max(_PAUSE_S, (_SHARE - 1) * (time.monotonic() - started)))

    async def _write(self) -> None:
        table = self._edge.table
        aside = self._path.with_suffix(f".{os.getpid()}")
        table.touched = Touched()
        try:
            with aside.open("wb") as file:
                await self._fill(table, _Checked(file))
            aside.replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            raise
        finally:
            table.touched = None

    async def _fill(self, table: Table, out: _Checked) -> None:
        await out.write([{"format": FORM, "epoch": table.epoch}])
        for number in range(PARTS):
            await self._put(table, out, table.part(number))
        await self._put(table, out, (_latest(table, release) for release in table.releases))
        for _ in range(_ROUNDS):
            touched = table.touched
            if touched is None or len(touched) <= _LAST_STEP:
                break
            table.touched = Touched()
            await self._put(table, out, (_latest(table, key) for key in touched.drain()))
        last = table.touched.drain() if table.touched is not None else ()
        await out.end([_latest(table, key) for key in last], table.version)

    async def _put(self, table: Table, out: _Checked, records: Iterable[dict[str, Any]]) -> None:
        pace, batch = Pace(), []
        for record in records:
            batch.append(record)
            if pace.due():
                await out.write(batch)
                batch = []
                await pace.rest()
        await out.write(batch)
        if self._edge.table is not table:
            raise _Replaced

    def _sweep(self) -> None:
        """Removes what killed writers left."""
        for aside in self._path.parent.glob(f"{self._path.stem}.*"):
            pid = aside.suffix[1:]
            if pid.isdigit() and not Path("/proc", pid).exists():
                aside.unlink(missing_ok=True)


class _Checked:
    """A file of JSON lines under a running checksum; hashing and writing are a thread's work."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    async def write(self, records: list[dict[str, Any]]) -> None:
        if records:
            await asyncio.to_thread(self._append, b"".join([orjson.dumps(record) + b"\n" for record in records]))

    async def end(self, records: list[dict[str, Any]], version: int) -> None:
        await self.write(records)
        last = {"version": version, "sha256": self._digest.hexdigest()}
        await asyncio.to_thread(self._finish, orjson.dumps(last) + b"\n")

    def _append(self, lines: bytes) -> None:
        self._digest.update(lines)
        self._file.write(lines)

    def _finish(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())


def _latest(table: Table, key: Key) -> dict[str, Any]:
    """The line that makes a reader's table have of a key what this one has."""
    record = table.record(key)
    if record is not None:
        return record
    if isinstance(key, str):
        return {"delete": {"release": key}}
    return {"delete": {"host": key[0].decode(), "path": key[1].decode() or "/"}}


async def _read(file: IO[bytes]) -> Table:
    """Reads a whole file.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, ShipoffError: it is damaged, or of another form.
    """
    digest, pace, first = hashlib.sha256(), Pace(), file.readline()
    head = orjson.loads(first)
    if head.get("format") != FORM:
        raise ValueError(f"it is of another form than {FORM}, written by an older or newer router")
    digest.update(first)
    table, last = Table(head["epoch"]), b""
    while lines := file.readlines(_READ_BYTES):
        lines.insert(0, last)
        last = lines.pop()
        digest.update(b"".join(lines))
        for line in lines:
            _take(table, line)
            if pace.due():
                await pace.rest()
    end = orjson.loads(last)
    if end["sha256"] != digest.hexdigest():
        raise ValueError("its checksum is wrong")
    table.version = end["version"]
    return table


def _take(table: Table, line: bytes) -> None:
    if not line:
        return
    record = orjson.loads(line)
    gone = record.get("delete")
    if gone is None:
        table.put(record)
    elif "release" in gone:
        _ = table.delete_release(gone["release"])
    else:
        table.delete_route(gone["host"], gone["path"])
