"""Brings what a service's tables keep sealed under the primary key of its ring, so that older keys can be dropped.

It goes through a table in batches, in the order of its key, and touches only rows that another key sealed: a run that
was broken off is taken up by the next one where it stopped, and two at once do no harm. A row that its owner changes
meanwhile keeps the change, which the primary key sealed anyway. A value that no key opens is left as it is, and told.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kernel.database import Database
from kernel.database.pool import Row
from kernel.errors import ShipoffError
from kernel.sealing import Sealer

log = logging.getLogger(__name__)
BATCH: Final = 200  # rows; a batch is read at once, so that a value of 256 KiB each takes 50 MB at most


@dataclass(frozen=True, slots=True)
class SealedTable:
    """Where sealed values are.

    Attributes:
        name: of the table.
        key: the columns of its primary key, all text.
        column: that holds the sealed value.
        place: what a row's value is bound to.
    """

    name: str
    key: tuple[str, ...]
    column: str
    place: Callable[[Row], str]

    @property
    def stale(self) -> str:
        """Selects up to $2 whole rows that do not begin with $1 and come after the key $3…, in the key's order."""
        key = ", ".join(self.key)
        after = ", ".join(f"${number}" for number in range(3, 3 + len(self.key)))
        return (
            f"select * from {self.name} where ({key}) > ({after}) "  # noqa: S608 - names are constants of the code
            f"and substring({self.column} from 1 for length($1::bytea)) <> $1 order by {key} limit $2"
        )

    @property
    def put(self) -> str:
        """Replaces the value $1 by $2 in the row of the key $3…, unless it has changed."""
        key = " and ".join(f"{column} = ${number}" for number, column in enumerate(self.key, 3))
        return f"update {self.name} set {self.column} = $2 where {self.column} = $1 and {key}"  # noqa: S608


@dataclass(slots=True)
class Resealed:
    """How far a table has got.

    Attributes:
        table: and column, for people.
        resealed: rows that were brought under the primary key.
        changed: rows that somebody else changed first.
        broken: rows that no key of the ring opens.
    """

    table: str
    resealed: int = 0
    changed: int = 0
    broken: int = 0


class Resealing:
    """Goes through tables of one database."""

    def __init__(self, database: Database, sealer: Sealer, tables: Sequence[SealedTable]) -> None:
        self._database, self._sealer, self._tables = database, sealer, tables

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the ring's keys, the primary first."""
        return self._sealer.names

    async def run(self) -> AsyncIterator[Resealed]:
        """Reseals everything; tells the counts of a table after each batch and once at its end."""
        for table in self._tables:
            counts, after = Resealed(f"{table.name}.{table.column}"), ("",) * len(table.key)
            while rows := await self._database.fetch(table.stale, self._sealer.head, BATCH, *after):
                for row in rows:
                    await self._reseal(table, row, counts)
                after = tuple(rows[-1][column] for column in table.key)
                yield counts
            yield counts

    async def _reseal(self, table: SealedTable, row: Row, counts: Resealed) -> None:
        sealed, place = row[table.column], table.place(row)
        try:
            fresh = self._sealer.reseal(sealed, place)
        except ShipoffError as error:
            log.warning("%s is left as it is: %s", table.name, error)
            counts.broken += 1
            return
        if fresh is None:
            return
        done = await self._database.execute(table.put, sealed, fresh, *(row[column] for column in table.key))
        if done == "UPDATE 1":
            counts.resealed += 1
        else:
            counts.changed += 1
