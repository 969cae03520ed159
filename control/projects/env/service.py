"""A project's env vars: set, removed and listed; sealed whenever they rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from control.projects.catalog.changes import bump
from control.projects.catalog.service import lock, missing
from control.projects.env.merge import EnvVar
from control.projects.env.rules import ALL, check_change, check_environment, check_scope, check_total
from kernel import audit
from kernel.authority import Permission, Resource, require
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.sealing import Sealer

SQL: Final = load_queries("control.projects.env")


@dataclass(frozen=True, slots=True, repr=False)
class EnvChange:
    """What is to be changed of the variables that are set for one environment; no repr, as it has values.

    Attributes:
        put: name to value.
        remove: names; one that is not set is no error.
        environment: all, production, preview (all of them), or preview/<branch>.
        scope: where those of `put` are given: build, run or all; "" leaves it, and is all for new ones.
        secret: what those of `put` are; None leaves it, and new ones are none. A secret becomes plain only with a
            value that is said with it, so nobody uncovers one.
    """

    put: Mapping[str, str] = field(default_factory=dict)
    remove: Sequence[str] = ()
    environment: str = ALL
    scope: str = ""
    secret: bool | None = None


class Env:
    """Reads and changes env vars."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database, self._sealer = database, sealer

    async def of(self, project_id: str) -> list[EnvVar]:
        """All variables of a project, by name, then by what they are set for."""
        return self._opened(project_id, await self._database.fetch(SQL["list"], project_id))

    async def locked(self, tx: Transaction, project_id: str) -> list[EnvVar]:
        """The same inside a transaction that has the project locked."""
        return self._opened(project_id, await tx.fetch(SQL["list"], project_id))

    async def change(self, tx: Transaction, project_id: str, change: EnvChange, expected: int = 0) -> int:
        """Sets and removes variables; all of it or, when one is refused, none.

        Args:
            tx: of the caller's; the project is locked in it.
            project_id: of a project that exists.
            change: what is wanted.
            expected: the project's version that it was made for; 0 does not look.

        Returns:
            The version of the project afterwards.

        Raises:
            ShipoffError: ENV_NAME_INVALID, ENV_NAME_RESERVED, ENV_VALUE_INVALID, ENV_TOO_LARGE, ENV_SCOPE_INVALID,
                ENV_ENVIRONMENT_INVALID, PROJECT_NOT_FOUND, PROJECT_VERSION_CONFLICT, PERMISSION_DENIED.
        """
        check_change(change.put)
        check_scope(change.scope)
        check_environment(change.environment)
        team_id = await lock(tx, project_id)
        before = {one.name: one for one in await self.locked(tx, project_id) if one.environment == change.environment}
        _require(change, before, Resource(team_id, project_id))
        version = await bump(tx, project_id, expected)
        await tx.execute(SQL["remove"], project_id, change.environment, list(change.remove))
        await tx.executemany(SQL["put"], [self._row(project_id, change, name, before) for name in change.put])
        check_total([(one.name, one.value) for one in await self.locked(tx, project_id)])
        await _audit(tx, team_id, project_id, change, before)
        return version

    def _row(self, project_id: str, change: EnvChange, name: str, before: Mapping[str, EnvVar]) -> tuple[object, ...]:
        was = before.get(name)
        scope = change.scope or (was.scope if was else "all")
        secret = change.secret if change.secret is not None else was is not None and was.secret
        place = place_of(project_id, name, change.environment, secret=secret)
        sealed = self._sealer.seal(change.put[name], place)
        return project_id, change.environment, name, sealed, scope, secret

    def _opened(self, project_id: str, rows: list[Row]) -> list[EnvVar]:
        return [
            EnvVar(
                row["name"],
                str(
                    self._sealer.open(
                        row["sealed"], place_of(project_id, row["name"], row["environment"], secret=row["secret"])
                    )
                ),
                row["scope"],
                row["environment"],
                row["secret"],
                row["updated_at"],
            )
            for row in rows
        ]


def place_of(project_id: str, name: str, environment: str, *, secret: bool) -> str:
    """What a sealed value is bound to: copied to another row, or no longer marked as secret, it does not open.

    Variables for all environments that are no secrets have the place that they had before there were others.
    """
    return f"{project_id}/{name}" + (f"@{environment}" if environment != ALL else "") + ("!secret" if secret else "")


def _require(change: EnvChange, before: Mapping[str, EnvVar], on: Resource) -> None:
    """Asks for each permission that a change needs: a token may have one and not the other."""
    hidden = missing(on.project_id)
    needed = {Permission.ENV_UPDATE if name in before else Permission.ENV_CREATE for name in change.put}
    if change.remove:
        needed.add(Permission.ENV_DELETE)
    for permission in sorted(needed) or [Permission.ENV_UPDATE]:
        require(permission, on, hidden=hidden)


async def _audit(
    tx: Transaction, team_id: str, project_id: str, change: EnvChange, before: Mapping[str, EnvVar]
) -> None:
    """Tells the names, never a value."""
    names = {
        "added": sorted(change.put.keys() - before.keys()),
        "changed": sorted(change.put.keys() & before.keys()),
        "removed": sorted(set(change.remove) & before.keys()),
    }
    if any(names.values()):
        after = {"environment": change.environment, **{what: found for what, found in names.items() if found}}
        await audit.record(
            tx, "env.change", team_id=team_id, project_id=project_id, target=change.environment, after=after
        )
