"""The catalog of projects: made once, found by id or by name. Whose they are is a team's id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.projects.catalog.rules import BuildSettings, check_build, check_name
from control.projects.limits.admission import admit_project
from control.projects.teams.service import require_open
from kernel import audit, ids
from kernel.authority import Kind, Permission, Principal, Resource, decide, require
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import ShipoffError, define
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
    """A project as it stands in the database; `version` grows with every change of settings, variables and rules."""

    id: str
    name: str
    team_id: str
    build: BuildSettings
    production_branch: str
    created_at: datetime
    live_deployment_id: str
    version: int


class Catalog:
    """Finds projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, id_or_name: str, team_id: str = "") -> Project:
        """One project.

        Args:
            id_or_name: either; an id has an underscore and a name has none.
            team_id: only if it is this team's; "" is any.

        Raises:
            ShipoffError: PROJECT_NOT_FOUND, also when it is another team's.
        """
        row = await self._database.fetchrow(SQL["get"], id_or_name, team_id)
        if row is None:
            raise missing(id_or_name)
        return project_of(row)

    async def reach(self, id_or_name: str, permission: Permission, team_id: str = "") -> Project:
        """One project, if the caller of this call may do something with it.

        Raises:
            ShipoffError: PROJECT_NOT_FOUND, also for those who may not even see it; PERMISSION_DENIED for the others.
        """
        project = await self.get(id_or_name, team_id)
        require(permission, Resource(project.team_id, project.id), hidden=missing(id_or_name))
        return project

    async def seen(self, who: Principal, team_id: str = "", *, after: str = "", limit: int = 0) -> list[Project]:
        """The projects that somebody may see, by name.

        Args:
            who: asks.
            team_id: only those of this team; "" is any.
            after: only those whose names come behind this one.
            limit: how many at most; 0 is all. Fewer are the last.
        """
        everything, teams, named = who.kind is Kind.PLATFORM, list(who.teams), list(who.projects)
        rows = await self._database.fetch(
            SQL["list"], everything, teams, named, team_id, who.only_project, after, max(limit, 0)
        )
        found = [project_of(row) for row in rows]
        # what is left is a token's scopes, which let all of them through or none: no page is shorter for it
        return [one for one in found if decide(who, Permission.PROJECT_READ, Resource(one.team_id, one.id))]


def missing(id_or_name: str) -> ShipoffError:
    """What is raised for a project that is not there, or not for the one who asks."""
    return PROJECT_NOT_FOUND(f"there is no project {id_or_name[:80]!r}")


async def add(tx: Transaction, name: str, team_id: str, build: BuildSettings, production_branch: str) -> Project:
    """Adds a project in a transaction of the caller's.

    Raises:
        ShipoffError: PROJECT_NAME_INVALID, PROJECT_NAME_RESERVED, BUILD_SETTINGS_INVALID, PROJECT_NAME_TAKEN,
            TEAM_CLOSED or LIMIT_PROJECTS.
    """
    branch = production_branch or DEFAULT_BRANCH
    check_name(name)
    check_build(build, branch)
    await require_open(tx, team_id)
    await admit_project(tx, team_id)
    row = await tx.fetchrow(
        SQL["insert"],
        ids.new("prj"),
        name,
        team_id,
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
    return project_of(row)


async def lock(tx: Transaction, project_id: str) -> str:
    """Keeps other writers of a project waiting until the transaction ends; returns the team that owns it.

    Raises:
        ShipoffError: PROJECT_NOT_FOUND.
    """
    owner: str | None = await tx.fetchval(SQL["lock"], project_id)
    if owner is None:
        raise missing(project_id)
    return owner


async def delete(tx: Transaction, project_id: str) -> None:
    """Deletes a project with all that is known of it, and tells the orchestrator; it is no error when it is gone.

    Its name is free again at once: hosts belong to whoever's route is put last, and the old one's goes first.
    """
    gone = await tx.fetchrow(SQL["delete"], project_id)
    if gone is not None:
        event = ProjectDeleted(project_id)
        await publish(tx, Envelope(data=event, key=project_id, trace=traceparent.get()))
        await audit.record(tx, "project.delete", team_id=gone["team_id"], project_id=project_id, target=gone["name"])


async def set_live(tx: Transaction, project_id: str, deployment_id: str) -> None:
    """Remembers which deployment serves."""
    await tx.execute(SQL["set_live"], project_id, deployment_id)


async def clear_live(tx: Transaction, project_id: str, deployment_id: str) -> None:
    """Forgets that this deployment serves, unless another does by now."""
    await tx.execute(SQL["clear_live"], project_id, deployment_id)


def project_of(row: Row) -> Project:
    """The project that a row is."""
    return Project(
        id=row["id"],
        name=row["name"],
        team_id=row["team_id"],
        build=BuildSettings(**{field: row[field] for field in BuildSettings.__slots__}),
        production_branch=row["production_branch"],
        created_at=row["created_at"],
        live_deployment_id=row["live_deployment_id"] or "",
        version=row["version"],
    )
