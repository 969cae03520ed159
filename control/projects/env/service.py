"""A project's env vars: set, removed and listed; sealed whenever they rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.projects.catalog.service import lock
from control.projects.env.rules import check_change, check_scope, check_total
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.sealing import Sealer

SQL: Final = load_queries("control.projects.env")


@dataclass(frozen=True, slots=True, repr=False)
class EnvVar:
    """A variable in clear; it has no repr, so that no log can show it.

    Attributes:
        scope: build, run, or all (both).
    """

    name: str
    value: str
    scope: str
    updated_at: datetime


class Env:
    """Reads and changes env vars."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database, self._sealer = database, sealer

    async def of(self, project_id: str) -> list[EnvVar]:
        """All variables of a project, by name."""
        return self._opened(project_id, await self._database.fetch(SQL["list"], project_id))

    async def change(
        self, tx: Transaction, project_id: str, put: Mapping[str, str], remove: Sequence[str], scope: str = ""
    ) -> list[EnvVar]:
        """Sets and removes variables; all of it or, when one is refused, none.

        Args:
            tx: of the caller's; the project is locked in it.
            project_id: of a project that exists.
            put: name to value.
            remove: names; one that is not set is no error.
            scope: where the variables that are set are given: build, run or all; "" leaves it.

        Returns:
            All variables afterwards.

        Raises:
            ShipoffError: ENV_NAME_INVALID, ENV_NAME_RESERVED, ENV_VALUE_INVALID, ENV_TOO_LARGE, ENV_SCOPE_INVALID,
                PROJECT_NOT_FOUND.
        """
        check_change(put)
        check_scope(scope)
        await lock(tx, project_id)
        await tx.execute(SQL["remove"], project_id, list(remove))
        sealed = [
            (project_id, name, self._sealer.seal(value, _place(project_id, name)), scope) for name, value in put.items()
        ]
        await tx.executemany(SQL["put"], sealed)
        variables = self._opened(project_id, await tx.fetch(SQL["list"], project_id))
        check_total({variable.name: variable.value for variable in variables})
        return variables

    def _opened(self, project_id: str, rows: list[Row]) -> list[EnvVar]:
        return [
            EnvVar(
                row["name"],
                str(self._sealer.open(row["sealed"], _place(project_id, row["name"]))),
                row["scope"],
                row["updated_at"],
            )
            for row in rows
        ]


def _place(project_id: str, name: str) -> str:
    """What a sealed value is bound to: copied to another row it does not open."""
    return f"{project_id}/{name}"
