"""Repository links: one a project, its secrets sealed and never shown again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control.projects.catalog.rules import BuildSettings, check_build
from control.projects.catalog.service import Project
from control.projects.repositories import rules
from control.projects.webhooks.signatures import new_secret
from kernel import ids
from kernel.database import Database, load_queries
from kernel.database.pool import Row, Transaction
from kernel.errors import define
from kernel.sealing import Sealer

REPOSITORY_NOT_LINKED = define(
    "REPOSITORY_NOT_LINKED", source="client", status=404, hint="link the project to a repository: shipoff repo link"
)
SQL: Final = load_queries("control.projects.repositories")


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is shown; `production_branch` and `root_dir` are the project's own."""

    id: str
    project_id: str
    provider: str
    clone_url: str
    full_name: str
    repository_id: str
    production_branch: str
    root_dir: str
    watch_paths: tuple[str, ...]
    previews: str
    fork_previews: bool
    installation_id: int
    has_token: bool
    suspended: bool
    detached: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """A link to be made.

    Attributes:
        repository_id: known beforehand for GitHub only.
        installation_id: GitHub's, 0 elsewhere.
        production_branch, root_dir: None leaves the project's.
        access_token: for cloning, "" for none.
    """

    provider: str
    clone_url: str
    full_name: str
    repository_id: str = ""
    installation_id: int = 0
    production_branch: str | None = None
    root_dir: str | None = None
    watch_paths: Sequence[str] = ()
    previews: str = ""
    fork_previews: bool = False
    access_token: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to change of a link; None leaves a field as it is."""

    production_branch: str | None = None
    root_dir: str | None = None
    watch_paths: Sequence[str] | None = None
    previews: str | None = None
    fork_previews: bool | None = None
    access_token: str | None = None


class Links:
    """Makes, changes and finds links."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database, self._sealer = database, sealer

    async def get(self, project_id: str) -> Link:
        """A project's link.

        Raises:
            ShipoffError: REPOSITORY_NOT_LINKED.
        """
        row = await self._database.fetchrow(SQL["get"], project_id)
        if row is None:
            raise REPOSITORY_NOT_LINKED("the project has no repository")
        return link_of(row)

    async def put(self, tx: Transaction, project: Project, wanted: Wanted) -> str:
        """Makes a project's link, in place of the one that it may have; returns the webhook's secret, "" for GitHub.

        Raises:
            ShipoffError: LINK_INVALID, BUILD_SETTINGS_INVALID.
        """
        watch, previews = rules.check_patterns(wanted.watch_paths), rules.check_previews(wanted.previews)
        token = rules.check_token(wanted.access_token)
        await self._settle(tx, project, wanted.production_branch, wanted.root_dir)
        link_id = ids.new("lnk")
        secret = "" if wanted.provider == "github" else new_secret(hook_of(wanted.provider))
        await tx.execute(
            SQL["put"],
            link_id,
            project.id,
            wanted.provider,
            wanted.clone_url,
            wanted.full_name,
            wanted.repository_id,
            watch,
            previews,
            wanted.fork_previews,
            wanted.installation_id or None,
            self._sealer.seal(secret, f"{link_id}/secret") if secret else None,
            self._sealer.seal(token, f"{link_id}/token") if token else None,
        )
        return secret

    async def update(self, tx: Transaction, project: Project, change: Change) -> None:
        """Changes what is named.

        Raises:
            ShipoffError: REPOSITORY_NOT_LINKED, LINK_INVALID, BUILD_SETTINGS_INVALID.
        """
        row = await tx.fetchrow(SQL["get_to_change"], project.id)
        if row is None:
            raise REPOSITORY_NOT_LINKED("the project has no repository")
        await self._settle(tx, project, change.production_branch, change.root_dir)
        token = row["sealed_token"]
        if change.access_token is not None:
            checked = rules.check_token(change.access_token)
            token = self._sealer.seal(checked, f"{row['id']}/token") if checked else None
        await tx.execute(
            SQL["update"],
            project.id,
            row["watch_paths"] if change.watch_paths is None else rules.check_patterns(change.watch_paths),
            row["previews"] if change.previews is None else rules.check_previews(change.previews),
            row["fork_previews"] if change.fork_previews is None else change.fork_previews,
            token,
        )

    async def delete(self, tx: Transaction, project_id: str) -> str:
        """Unlinks a project; what was deployed stays. Returns the link's id.

        Raises:
            ShipoffError: REPOSITORY_NOT_LINKED.
        """
        found: str | None = await tx.fetchval(SQL["delete"], project_id)
        if found is None:
            raise REPOSITORY_NOT_LINKED("the project has no repository")
        return found

    async def secret_of(self, link_id: str) -> tuple[str, str]:
        """The provider and the webhook's secret of a link; both empty when there is none."""
        row = await self._database.fetchrow(SQL["by_id"], link_id)
        if row is None or row["sealed_secret"] is None:
            return "", ""
        return row["provider"], str(self._sealer.open(row["sealed_secret"], f"{link_id}/secret"))

    def token_of(self, row: Row) -> str:
        """The access token of a link's row, "" for none."""
        sealed = row["sealed_token"]
        return "" if sealed is None else str(self._sealer.open(sealed, f"{row['id']}/token"))

    async def _settle(self, tx: Transaction, project: Project, branch: str | None, root_dir: str | None) -> None:
        """Branch and root directory belong to the project: one truth, whoever builds."""
        branch = branch or project.production_branch
        root_dir = project.build.root_dir if root_dir is None else root_dir
        build = {name: getattr(project.build, name) for name in BuildSettings.__slots__}
        check_build(BuildSettings(**{**build, "root_dir": root_dir}), branch)
        await tx.execute(SQL["settle"], project.id, branch, root_dir)


def hook_of(provider: str) -> str:
    """Which kind of webhook a provider's repositories send."""
    return "generic" if provider == "git" else provider


def link_of(row: Row) -> Link:
    """A row of `get` as a link."""
    values = {name: row[name] for name in Link.__slots__ if name not in ("has_token", "watch_paths", "installation_id")}
    return Link(
        **values,
        watch_paths=tuple(row["watch_paths"]),
        installation_id=row["installation_id"] or 0,
        has_token=row["sealed_token"] is not None,
    )
