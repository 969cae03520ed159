"""The last-known-good table on disk: what a worker serves when it starts while Redis is down.

Written aside and renamed, so it is whole or absent; the last line holds a SHA-256 of all before it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from pathlib import Path
from typing import Any, Final

import orjson

from kernel.errors import ShipoffError
from kernel.tasks import spawn, stop
from router.core.records import Route, parse
from router.core.table import Release, Table
from router.edge.context import Edge

log = logging.getLogger(__name__)
_PAUSE_S: Final = 1.0
_BATCH: Final = 2000


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
            self._task = spawn(self._run(), "router.snapshot")

    async def stop(self) -> None:
        """Stops, after writing what is not written yet."""
        await stop(self._task)
        if self._writes and self._dirty.is_set():
            await self._write()

    def changed(self) -> None:
        """The table has changed."""
        self._dirty.set()

    async def _run(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._write()
            except OSError as error:
                log.error("the last-known-good table cannot be written: %s", error)
            await asyncio.sleep(_PAUSE_S)

    async def _write(self) -> None:
        table = self._edge.table
        values: list[Route | Release] = [*table.routes(), *table.releases.values()]
        lines = orjson.dumps({"epoch": table.epoch, "version": table.version, "records": len(values)}) + b"\n"
        aside = self._path.with_suffix(f".{os.getpid()}")
        digest = hashlib.sha256()
        with aside.open("wb") as file:
            for start in range(0, len(values) + 1, _BATCH):
                lines += b"".join(orjson.dumps(value.record()) + b"\n" for value in values[start : start + _BATCH])
                digest.update(lines)
                file.write(lines)
                lines = b""
                await asyncio.sleep(0)  # requests go on between two batches
            file.write(orjson.dumps({"sha256": digest.hexdigest()}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)

    def load(self) -> Table | None:
        """The table in the file, or None when there is none that is whole."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return None
        body, _, last = raw.rstrip(b"\n").rpartition(b"\n")
        body += b"\n"
        try:
            if orjson.loads(last)["sha256"] != hashlib.sha256(body).hexdigest():
                raise ValueError("checksum")
            header, *lines = body.splitlines()
            return _table(orjson.loads(header), lines)
        except (ValueError, KeyError, TypeError, ShipoffError) as error:
            log.error("the last-known-good table in %s is damaged and not used: %s", self._path, error)
            return None


def _table(header: dict[str, Any], lines: list[bytes]) -> Table:
    table = Table(header["epoch"], header["version"])
    fill(table, lines)
    return table


def fill(table: Table, lines: list[bytes]) -> None:
    """Puts the records of JSON lines into a table.

    Raises:
        ShipoffError: RECORD_INVALID.
        ValueError: a line is not JSON.
    """
    for line in lines:
        value = parse(orjson.loads(line))
        if isinstance(value, Route):
            table.put_route(value)
        else:
            table.put_release(value)
