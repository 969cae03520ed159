"""The table from a file of JSON lines instead of Redis: `python -m router --table FILE`, read again on SIGHUP."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import IO, Final

import orjson

from kernel.errors import ShipoffError, define
from router.core.table import Table
from router.edge.context import Edge
from router.loading import Pace, adopt, uncollected

log = logging.getLogger(__name__)
TABLE_FILE_INVALID = define("TABLE_FILE_INVALID", source="client", hint="correct the file that --table names")
_SHOWN: Final = 60


class TableFile:
    """Reads the file into the worker's table."""

    def __init__(self, edge: Edge, path: Path) -> None:
        self._edge = edge
        self._path = path
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """Reads the whole file aside, while the old table serves, and swaps it in.

        Raises:
            ShipoffError: TABLE_FILE_INVALID with file, line and field; the table stays as it was.
        """
        async with self._one_at_a_time:
            try:
                with self._path.open("rb") as file, uncollected():
                    table = await self._read(file)
            except OSError as error:
                raise TABLE_FILE_INVALID(f"{self._path}: {error.strerror}") from error
            await adopt(self._edge, table)

    async def reload(self) -> None:
        """Reads the file again; keeps the old table when it is not good."""
        try:
            await self.load()
        except ShipoffError as error:
            log.error("the table is not changed: %s", error)

    async def _read(self, file: IO[bytes]) -> Table:
        table, pace = Table("file", self._edge.table.version + 1), Pace()
        for number, line in enumerate(file, 1):
            if line.strip():
                self._take(table, number, line)
            if pace.due():
                await pace.rest()
        return table

    def _take(self, table: Table, number: int, line: bytes) -> None:
        try:
            _ = table.put(orjson.loads(line))
        except (ShipoffError, orjson.JSONDecodeError) as error:
            start = line.strip()[:_SHOWN].decode("utf-8", "replace")
            raise TABLE_FILE_INVALID(f"{self._path}, line {number}: {error} (it begins: {start})") from error
