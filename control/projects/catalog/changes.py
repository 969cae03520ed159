"""Changes of a project that is there: its settings, its name, its team; and its version, which all changes count up."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import asyncpg

from control.projects.catalog.rules import BuildSettings, check_build, check_name
from control.projects.catalog.service import PROJECT_NAME_TAKEN, Project, lock, missing, project_of
from control.projects.limits.admission import admit_project
from control.projects.teams.service import require_open
from kernel import audit
from kernel.authority import Permission, Resource, require
from kernel.database import load_queries
from kernel.database.pool import Row, Transaction
from kernel.deployments import UNFINISHED, State
from kernel.errors import define
from kernel.events import Envelope, ProjectTransferred
from kernel.streams import publish
from kernel.telemetry import traceparent

PROJECT_VERSION_CONFLICT = define(
    "PROJECT_VERSION_CONFLICT",
    source="client",
    status=409,
    hint="somebody changed the project meanwhile: read it again, then change what is there now",
)
PROJECT_NAME_IN_USE = define(
    "PROJECT_NAME_IN_USE",
    source="client",
    status=409,
    hint="its name is its address: make a project of the new name, deploy to it, and delete this one",
)
SQL: Final = load_queries("control.projects.catalog")
# In the order of the statement.
_COLUMNS: Final = (
    "framework", "root_dir", "install_command", "build_command", "run_command", "output_dir", "health_path",
)  # fmt: skip
_WITH_HOSTS: Final = [state.value for state in (State.LIVE, *sorted(UNFINISHED))]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed; None leaves a field as it is, "" of a build setting means: detect it."""

    name: str | None = None
    production_branch: str | None = None
    framework: str | None = None
    root_dir: str | None = None
    install_command: str | None = None
    build_command: str | None = None
    run_command: str | None = None
    output_dir: str | None = None
    health_path: str | None = None


async def bump(tx: Transaction, project_id: str, expected: int = 0) -> int:
    """Counts a change of a project that the caller has locked; returns the version that it has now.

    Args:
        tx: the transaction that makes the change.
        project_id: of a project that exists.
        expected: the version that the change was made for; 0 does not look.

    Raises:
        ShipoffError: PROJECT_VERSION_CONFLICT.
    """
    version: int | None = await tx.fetchval(SQL["bump"], project_id, expected)
    if version is None:
        now = await tx.fetchval(SQL["version"], project_id)
        raise PROJECT_VERSION_CONFLICT(f"the project is at version {now}, not {expected}")
    return version


async def update(tx: Transaction, project_id: str, change: Change, expected: int = 0) -> Project:
    """Changes what is said of a project; the next build goes by it.

    A name is changed only while nothing is served or under way under it: hosts are made of it.

    Raises:
        ShipoffError: PROJECT_NOT_FOUND, PROJECT_VERSION_CONFLICT, PROJECT_NAME_INVALID, PROJECT_NAME_RESERVED,
            PROJECT_NAME_TAKEN, PROJECT_NAME_IN_USE, BUILD_SETTINGS_INVALID.
    """
    before = await _locked(tx, project_id)
    await bump(tx, project_id, expected)
    said = {field.name: getattr(change, field.name) for field in fields(change)}
    wanted = {name: value for name, value in said.items() if value is not None}
    name, branch = wanted.pop("name", before.name), wanted.pop("production_branch", before.production_branch)
    build = replace(before.build, **wanted)
    check_build(build, branch)
    if name != before.name:
        await _rename(tx, before, name)
    after = await _write(tx, project_id, name, build, branch)
    was, now = _settings(before), _settings(after)
    changed = [field for field in was if was[field] != now[field]]
    if changed:
        await audit.record(
            tx, "project.update", team_id=before.team_id, project_id=project_id, target=after.name,
            before={field: was[field] for field in changed}, after={field: now[field] for field in changed},
        )  # fmt: skip
    return after


async def transfer(tx: Transaction, project_id: str, team_id: str) -> Project:
    """Gives a project to another team; whoever gives it away must be able to make projects there.

    What runs goes on. Who has a role on the project itself keeps it, and its API tokens go (control/auth/roles).

    Raises:
        ShipoffError: PROJECT_NOT_FOUND, PERMISSION_DENIED, TEAM_CLOSED, LIMIT_PROJECTS of the team that gets it.
    """
    before = await _locked(tx, project_id)
    require(Permission.PROJECT_TRANSFER_OWNERSHIP, Resource(before.team_id, project_id), hidden=missing(project_id))
    require(Permission.PROJECT_CREATE, Resource(team_id))
    if before.team_id == team_id:
        return before
    await require_open(tx, team_id)
    await admit_project(tx, team_id)
    await bump(tx, project_id)
    after = _of(await tx.fetchrow(SQL["transfer"], project_id, team_id), project_id)
    for team in (before.team_id, team_id):  # both see that it went
        await audit.record(
            tx, "project.transfer", team_id=team, project_id=project_id, target=after.name,
            before={"team_id": before.team_id}, after={"team_id": team_id},
        )  # fmt: skip
    event = ProjectTransferred(project_id, team_id)
    await publish(tx, Envelope(data=event, key=project_id, trace=traceparent.get()))
    return after


async def _write(tx: Transaction, project_id: str, name: str, build: BuildSettings, branch: str) -> Project:
    settings = [getattr(build, field) for field in _COLUMNS]
    try:
        row = await tx.fetchrow(SQL["change"], project_id, name, *settings, branch)
    except asyncpg.UniqueViolationError:  # somebody was faster with the name
        raise PROJECT_NAME_TAKEN(f"the name {name!r} is taken") from None
    return _of(row, project_id)


def _of(row: Row | None, project_id: str) -> Project:
    if row is None:
        raise missing(project_id)
    return project_of(row)


async def _rename(tx: Transaction, project: Project, name: str) -> None:
    check_name(name)
    if await tx.fetchval(SQL["has_hosts"], project.id, _WITH_HOSTS):
        raise PROJECT_NAME_IN_USE(f"{project.name} is deployed, so it keeps its name")


async def _locked(tx: Transaction, project_id: str) -> Project:
    await lock(tx, project_id)
    return _of(await tx.fetchrow(SQL["get"], project_id, ""), project_id)


def _settings(project: Project) -> dict[str, Any]:
    build = {field: getattr(project.build, field) for field in _COLUMNS}
    return {"name": project.name, **build, "production_branch": project.production_branch}
