"""The form of the last-known-good table on disk: JSON lines, in sections that each end with a checksum.

    {"format":3,"epoch":"epo_1"}
    {"host":"a.test",…}                   the records of a whole table
    {"sha256":"…","version":12}           of all bytes before this line, and the version that the table has here
    {"host":"b.test",…}                   what has changed since, or {"delete":{…}}; any number of such sections
    {"sha256":"…","version":15}

A file whose first section is damaged is no table. From the first damage after it on, a reader leaves out the rest: a
writer was killed there, or a disk lost what came last.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

import orjson

from router.core.table import Table
from router.core.touched import Key
from router.loading import Pace

log = logging.getLogger(__name__)
FORM: Final = 3
_END: Final = b'{"sha256":'
_READ_BYTES: Final = 262_144


class SnapshotFile:
    """A file that is written; hashing and writing are a thread's work.

    Attributes:
        size: bytes that were written.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._digest = hashlib.sha256()
        self.size = 0

    async def begin(self, epoch: str) -> None:
        """Writes the first line."""
        await self.write([{"format": FORM, "epoch": epoch}])

    async def write(self, records: Sequence[dict[str, Any]]) -> None:
        """Adds records to the section that is being written."""
        if records:
            await asyncio.to_thread(self._append, b"".join([orjson.dumps(record) + b"\n" for record in records]))

    async def end(self, version: int) -> None:
        """Ends the section: from here on it outlives this process, and when the system has written it, the machine."""
        await asyncio.to_thread(self._finish, version)

    async def secure(self) -> None:
        """Returns when everything is on the disk."""
        await asyncio.to_thread(os.fsync, self._file.fileno())

    def is_at(self, path: Path) -> bool:
        """Whether it is what a reader of a path finds; another process may have put its own file there."""
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._file.fileno()), path.stat())
        return False

    def close(self) -> None:
        """Closes it; what does not fit on the disk is lost."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _append(self, lines: bytes) -> None:
        self._digest.update(lines)
        self._file.write(lines)
        self.size += len(lines)

    def _finish(self, version: int) -> None:
        self._append(orjson.dumps({"sha256": self._digest.hexdigest(), "version": version}) + b"\n")
        self._file.flush()


def latest(table: Table, key: Key) -> dict[str, Any]:
    """The line that makes a reader's table have of a key what this one has."""
    record = table.record(key)
    if record is not None:
        return record
    if isinstance(key, str):
        return {"delete": {"release": key}}
    return {"delete": {"host": key[0].decode(), "path": key[1].decode() or "/"}}


async def read(file: IO[bytes]) -> Table:
    """Reads a file, in slices of time.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, ShipoffError: its table is damaged, or of another form.
    """
    first = file.readline()
    head = orjson.loads(first)
    if head.get("format") != FORM:
        raise ValueError(f"it is of another form than {FORM}, written by an older or newer router")
    reader = _Reader(Table(head["epoch"]), first)
    while (lines := file.readlines(_READ_BYTES)) and await reader.take(lines):
        pass
    return reader.finish()


class _Reader:
    def __init__(self, table: Table, first: bytes) -> None:
        self._table = table
        self._digest = hashlib.sha256(first)
        self._pace = Pace()
        self._whole = False  # the first section has been read
        self._added: list[bytes] = []  # by a section whose end has not been read
        self._damage = ""

    async def take(self, lines: list[bytes]) -> bool:
        """Takes the next lines; False when no more are wanted."""
        begin = 0
        for n, line in enumerate(lines):
            if line.startswith(_END):
                await self._records(lines[begin:n])
                if not await self._end(line):
                    return False
                begin = n + 1
        await self._records(lines[begin:])
        return True

    def finish(self) -> Table:
        """The table, when there are no more lines."""
        if not self._whole:
            raise ValueError(self._damage or "its end is missing")
        if self._damage or self._added:
            where = self._table.version
            log.warning("the last-known-good table is used as of version %d: what follows is damaged", where)
        return self._table

    async def _records(self, lines: list[bytes]) -> None:
        self._digest.update(b"".join(lines))
        if self._whole:
            self._added += lines
        else:
            await self._apply(lines)

    async def _end(self, line: bytes) -> bool:
        try:
            end = orjson.loads(line)
        except orjson.JSONDecodeError:
            end = {"sha256": "cut"}
        if end["sha256"] != self._digest.hexdigest():
            self._damage = "its checksum is wrong"
            return False
        self._digest.update(line)
        await self._apply(self._added)
        self._added = []
        self._table.version = end["version"]
        self._whole = True
        return True

    async def _apply(self, lines: list[bytes]) -> None:
        for line in lines:
            self._put(orjson.loads(line))
            if self._pace.due():
                await self._pace.rest()

    def _put(self, record: dict[str, Any]) -> None:
        gone = record.get("delete")
        if gone is None:
            self._table.put(record)
        elif "release" in gone:
            _ = self._table.delete_release(gone["release"])
        else:
            self._table.delete_route(gone["host"], gone["path"])
