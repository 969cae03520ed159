"""The last-known-good table on disk: what a worker serves when it starts while Redis gives none.

The whole table is written aside and renamed, so a file is whole or absent, and whatever fails leaves the old one.
Changes are then added to it (snapshot_file.py), at what they cost and not at what the table costs, until they have
doubled it: then, and after a resync, it is written whole again. The table goes on changing while it is written: what
has changed is written again at the end, so that the file is the table at one version. Nothing is copied for it but the
part of the table that is being written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from kernel.errors import ShipoffError
from kernel.tasks import spawn, stop
from router.core.hosts import PARTS
from router.core.table import Table
from router.core.touched import Touched
from router.edge.context import Edge
from router.loading import Pace, uncollected
from router.snapshot_file import SnapshotFile, latest, read

log = logging.getLogger(__name__)
_PAUSE_S: Final = 1.0
_SHARE: Final = 10  # of the time, at most one part in so many is spent on writing: a minute after a file of 6 s
_LAST_S: Final = 5.0
_ROUNDS: Final = 20  # at most, over what has changed meanwhile, each shorter than the one before
_LAST_STEP: Final = 500  # changes; so few are written in one step, which makes the file the table at one version
_FEW: Final = 1_000_000  # bytes of changes that are always added: a file of a small table is not worth writing anew


class _Replaced(Exception):
    """A resync swapped the table while it was written."""


class Snapshot:
    """The file of one router; one of its workers writes it."""

    def __init__(self, edge: Edge, path: Path, writes: bool) -> None:
        self._edge = edge
        self._path = path
        self._writes = writes
        self._dirty = asyncio.Event()
        self._writing = asyncio.Lock()
        self._file: SnapshotFile | None = None  # what changes are added to
        self._whole = 0  # bytes of the table in it
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to write changes, at most once a second."""
        if self._writes:
            self._sweep()
            self._task = spawn(self._run(), "router.snapshot")

    async def stop(self) -> None:
        """Stops, after writing what is not written yet, unless that takes longer than _LAST_S."""
        try:
            async with asyncio.timeout(_LAST_S), self._writing:
                await stop(self._task)
                if self._writes and self._dirty.is_set():
                    await self._write()
        except (OSError, TimeoutError, _Replaced) as error:
            log.warning("the last-known-good table stays as it was: %r", error)
        await stop(self._task)
        self._forget()

    def changed(self) -> None:
        """The table has changed."""
        self._dirty.set()

    async def load(self) -> Table | None:
        """The table in the file, or None when there is none that is whole."""
        try:
            with self._path.open("rb") as file, uncollected():
                return await read(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ShipoffError) as error:
            log.error("the last-known-good table in %s is not used: %s", self._path, error)
            return None

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._dirty.wait()
            started = time.monotonic()
            async with self._writing:
                self._dirty.clear()
                try:
                    await self._write()
                except OSError as error:
                    log.error("the last-known-good table cannot be written, the old one stays: %s", error)
                    self._dirty.set()
                except _Replaced:
                    self._dirty.set()
            await asyncio.sleep(max(_PAUSE_S, (_SHARE - 1) * (time.monotonic() - started)))

    async def _write(self) -> None:
        try:
            table, file = self._edge.table, self._file
            if file is None or table.touched is None or self._is_worn(file):
                await self._write_whole(table)
            else:
                await self._settle(table, file)
        except BaseException:
            self._forget()  # it may end anywhere
            raise

    def _is_worn(self, file: SnapshotFile) -> bool:
        return file.size > self._whole + max(self._whole, _FEW) or not file.is_at(self._path)

    async def _write_whole(self, table: Table) -> None:
        self._forget()
        aside = self._path.with_suffix(f".{os.getpid()}")
        table.touched = Touched()
        try:
            file = self._file = SnapshotFile(aside)
            await file.begin(table.epoch)
            for number in range(PARTS):
                await self._put(table, file, table.part(number))
            await self._put(table, file, (latest(table, release) for release in table.releases))
            await self._settle(table, file)
            await file.secure()
            aside.replace(self._path)
            self._whole = file.size
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            raise

    async def _settle(self, table: Table, file: SnapshotFile) -> None:
        """Adds what has changed, and changes meanwhile; ends with the table at one version."""
        for _ in range(_ROUNDS):
            touched = table.touched
            if touched is None or len(touched) <= _LAST_STEP:
                break
            table.touched = Touched()
            await self._put(table, file, (latest(table, key) for key in touched.drain()))
        last, table.touched = table.touched, Touched()
        records = [latest(table, key) for key in last.drain()] if last is not None else []
        version = table.version
        await file.write(records)
        await file.end(version)

    async def _put(self, table: Table, file: SnapshotFile, records: Iterable[dict[str, Any]]) -> None:
        pace, batch = Pace(), []
        for record in records:
            batch.append(record)
            if pace.due():
                await file.write(batch)
                batch = []
                await pace.rest()
        await file.write(batch)
        if self._edge.table is not table:
            raise _Replaced

    def _forget(self) -> None:
        """The next file is a whole one."""
        self._edge.table.touched = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _sweep(self) -> None:
        """Removes what killed writers left."""
        for aside in self._path.parent.glob(f"{self._path.stem}.*"):
            pid = aside.suffix[1:]
            if pid.isdigit() and not Path("/proc", pid).exists():
                aside.unlink(missing_ok=True)
