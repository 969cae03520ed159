"""The table from a file of JSON lines instead of Redis: `python -m router --table FILE`, read again on SIGHUP."""

from __future__ import annotations

import logging
from pathlib import Path

import orjson

from kernel.errors import ShipoffError, define
from router.core.records import Route, parse
from router.core.table import Table
from router.edge.context import Edge

log = logging.getLogger(__name__)
TABLE_FILE_INVALID = define("TABLE_FILE_INVALID", source="client", hint="correct the file that --table names")


class TableFile:
    """Reads the file into the worker's table."""

    def __init__(self, edge: Edge, path: Path) -> None:
        self._edge = edge
        self._path = path

    def load(self) -> None:
        """Reads the whole file aside and swaps it in.

        Raises:
            ShipoffError: TABLE_FILE_INVALID with file and line; the table stays as it was.
        """
        old = self._edge.table
        table = Table("file", old.version + 1)
        try:
            for number, line in enumerate(self._path.read_bytes().splitlines(), 1):
                if line.strip():
                    self._take(table, old, number, line)
        except OSError as error:
            raise TABLE_FILE_INVALID(f"{self._path}: {error.strerror}") from error
        self._edge.table = table
        self._edge.retire(table.succeed(old))

    def reload(self) -> None:
        """Reads the file again; keeps the old table when it is not good."""
        try:
            self.load()
        except ShipoffError as error:
            log.error("the table is not changed: %s", error)

    def _take(self, table: Table, old: Table, number: int, line: bytes) -> None:
        try:
            value = parse(orjson.loads(line))
        except (ShipoffError, orjson.JSONDecodeError) as error:
            raise TABLE_FILE_INVALID(f"{self._path}, line {number}: {error}") from error
        if isinstance(value, Route):
            table.put_route(value)
        else:
            table.put_release(value, known=old)
