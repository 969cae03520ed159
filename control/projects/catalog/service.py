"""The catalog of projects: made once, found by id or by name, and only by the account that owns them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.projects.catalog.rules import BuildSettings, check_build, check_name
from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define
from kernel.events import Envelope, ProjectDeleted
from kernel.streams import publish
from kernel.telemetry import traceparent

PROJECT_NOT_FOUND = define(
    "PROJECT_NOT_FOUND", source="client", status=404, hint="see your projects: shipoff projects list"
)
PROJECT_NAME_TAKEN = define("PROJECT_NAME_TAKEN", source="client", status=409, hint="choose another name")

SQL: Final = load_queries("control.projects.catalog")
DEFAULT_BRANCH: Final = "main"


@dataclass(frozen=True, slots=True)
class Project:
    """A project as it stands in the database."""

    id: str
    name: str
    account_id: str
    build: BuildSettings
    production_branch: str
    created_at: datetime
    live_deployment_id: str


class Catalog:
    """Finds projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, id_or_name: str, account_id: str = "") -> Project:
        """One project.

        Args:
            id_or_name: either; an id has an underscore and a name has none.
            account_id: who asks; "" is the platform itself.

        Raises:
            ShipoffError: PROJECT_NOT_FOUND, also when it belongs to another account.
        """
        row = await self._database.fetchrow(SQL["get"], id_or_name, account_id)
        if row is None:
            raise PROJECT_NOT_FOUND(f"there is no project {id_or_name[:80]!r}")
        return _project(row)

    async def of(self, account_id: str = "") -> list[Project]:
        """All projects of an account ("" is all of them), by name."""
        return [_project(row) for row in await self._database.fetch(SQL["list"], account_id)]


async def add(tx: Transaction, name: str, account_id: str, build: BuildSettings, production_branch: str) -> Project:
    """Adds a project in a transaction of the caller's.

    Raises:
        ShipoffError: PROJECT_NAME_INVALID, PROJECT_NAME_RESERVED, BUILD_SETTINGS_INVALID or PROJECT_NAME_TAKEN.
    """
    branch = production_branch or DEFAULT_BRANCH
    check_name(name)
    check_build(build, branch)
    row = await tx.fetchrow(
        SQL["insert"],
        ids.new("prj"),
        name,
        account_id,
        build.framework,
        build.root_dir,
        build.install_command,
        build.build_command,
        build.run_command,
        build.output_dir,
        build.health_path,
        branch,
    )
    if row is None:
        raise PROJECT_NAME_TAKEN(f"the name {name!r} is taken")
    return _project(row)


async def lock(tx: Transaction, project_id: str) -> str:
    """Keeps other writers of a project waiting until the transaction ends; returns the account that owns it.

    Raises:
        ShipoffError: PROJECT_NOT_FOUND.
    """
    owner: str | None = await tx.fetchval(SQL["lock"], project_id)
    if owner is None:
        raise PROJECT_NOT_FOUND(f"there is no project {project_id[:80]!r}")
    return owner


async def delete(tx: Transaction, project_id: str) -> None:
    """Deletes a project with all that is known of it, and tells the orchestrator; it is no error when it is gone.

    Its name is free again at once: hosts belong to whoever's route is put last, and the old one's goes first.
    """
    if await tx.execute(SQL["delete"], project_id) == "DELETE 1":
        event = ProjectDeleted(project_id)
        await publish(tx, Envelope(data=event, key=project_id, trace=traceparent.get()))


async def set_live(tx: Transaction, project_id: str, deployment_id: str) -> None:
    """Remembers which deployment serves."""
    await tx.execute(SQL["set_live"], project_id, deployment_id)


async def clear_live(tx: Transaction, project_id: str, deployment_id: str) -> None:
    """Forgets that this deployment serves, unless another does by now."""
    await tx.execute(SQL["clear_live"], project_id, deployment_id)


def _project(row: Row) -> Project:
    return Project(
        id=row["id"],
        name=row["name"],
        account_id=row["account_id"],
        build=BuildSettings(**{field: row[field] for field in BuildSettings.__slots__}),
        production_branch=row["production_branch"],
        created_at=row["created_at"],
        live_deployment_id=row["live_deployment_id"] or "",
    )
